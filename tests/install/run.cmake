# The install test: install to WORK/prefix, then configure, build and run CONSUMER against it. Starts from nothing.
function(run)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT status EQUAL 0)
    list(JOIN ARGN " " command)
    message(FATAL_ERROR "failed with ${status}: ${command}\n${output}")
  endif()
endfunction()

file(REMOVE_RECURSE ${WORK})
run(${CMAKE_COMMAND} --install ${GIZA_BUILD} --prefix ${WORK}/prefix)
run(${WORK}/prefix/bin/giza --help)

# One source that includes every installed header: none may need a header that was not installed.
file(GLOB_RECURSE headers RELATIVE ${WORK}/prefix/include/giza ${WORK}/prefix/include/giza/*.h)
list(LENGTH headers count)
if(count LESS 10)
  message(FATAL_ERROR "only ${count} headers were installed")
endif()
list(TRANSFORM headers PREPEND "#include \"")
list(TRANSFORM headers APPEND "\"\n")
list(JOIN headers "" includes)
file(WRITE ${WORK}/all_headers.cc "${includes}")

run(${CMAKE_COMMAND} -S ${CONSUMER} -B ${WORK}/build -G ${GENERATOR}
  -DCMAKE_PREFIX_PATH=${WORK}/prefix -DCMAKE_CXX_COMPILER=${CXX} -DCMAKE_BUILD_TYPE=${BUILD_TYPE}
  -DGIZA_VERSION=${VERSION} -DALL_HEADERS=${WORK}/all_headers.cc)
run(${CMAKE_COMMAND} --build ${WORK}/build)
run(${WORK}/build/consumer)

# The examples too.
run(${CMAKE_COMMAND} -S ${EXAMPLES} -B ${WORK}/examples -G ${GENERATOR}
  -DCMAKE_PREFIX_PATH=${WORK}/prefix -DCMAKE_CXX_COMPILER=${CXX} -DCMAKE_BUILD_TYPE=${BUILD_TYPE})
run(${CMAKE_COMMAND} --build ${WORK}/examples)
run(${WORK}/examples/example_train ${WORK}/scenes.safetensors 1)

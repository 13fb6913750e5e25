# Compiler settings of every target, and the helper that makes one library per folder.
if(PROJECT_IS_TOP_LEVEL AND NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Build type" FORCE)
endif()
include(GNUInstallDirs)

add_library(giza_options INTERFACE)
target_compile_features(giza_options INTERFACE cxx_std_20)
# -ffp-contract=off: a*b+c is fused only where a kernel says so, so both compilers give the same bits.
# No -march: Highway compiles each kernel for every target and picks one when the program starts.
target_compile_options(giza_options INTERFACE -Wall -Wextra -Wshadow -ffp-contract=off)
# The scalar target is a target like the others (tests run on it); SSSE3 adds nothing beside SSE4.
target_compile_definitions(giza_options INTERFACE HWY_BROKEN_EMU128=1 HWY_DISABLED_TARGETS=HWY_SSSE3)
# For programs without hot loops of their own, the command line and the tests: they build in half the time.
add_library(giza_light INTERFACE)
target_compile_options(giza_light INTERFACE $<$<CONFIG:Release>:-O1>)
if(GIZA_SANITIZE)
  target_compile_options(giza_options INTERFACE -fsanitize=${GIZA_SANITIZE} -fno-omit-frame-pointer)
  target_link_options(giza_options INTERFACE -fsanitize=${GIZA_SANITIZE})
endif()

# giza_library(NAME LINK ...): the static library giza_NAME (giza::NAME) of all sources below the folder NAME.
function(giza_library name)
  cmake_parse_arguments(ARG "" "" "LINK" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS
    ${PROJECT_SOURCE_DIR}/${name}/*.cc ${PROJECT_SOURCE_DIR}/${name}/*.h)
  add_library(giza_${name} STATIC ${sources})
  add_library(giza::${name} ALIAS giza_${name})
  target_include_directories(giza_${name} PUBLIC
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}/giza>)
  target_compile_features(giza_${name} PUBLIC cxx_std_20)
  set_target_properties(giza_${name} PROPERTIES POSITION_INDEPENDENT_CODE ON EXPORT_NAME ${name})
  target_link_libraries(giza_${name} PRIVATE $<BUILD_INTERFACE:giza_options> ${ARG_LINK})
endfunction()

# giza_protobuf(LIBRARY PROTO USER source... [ONLY_WITH source...]): adds what protoc makes of PROTO to giza_LIBRARY. The
# sources of USER may include it as "PATH/NAME.pb.h" where GIZA_HAVE_PROTOBUF is defined; those of ONLY_WITH may always,
# and are left out of a build without Protocol Buffers.
function(giza_protobuf library proto)
  cmake_parse_arguments(ARG "" "" "USER;ONLY_WITH" ${ARGN})
  if(NOT GIZA_HAVE_PROTOBUF)
    set_source_files_properties(${ARG_ONLY_WITH} PROPERTIES HEADER_FILE_ONLY ON)
    return()
  endif()
  set(out ${PROJECT_BINARY_DIR}/protobuf)
  string(REGEX REPLACE "[.]proto$" ".pb" stem ${out}/${proto})
  file(MAKE_DIRECTORY ${out})
  add_custom_command(OUTPUT ${stem}.cc ${stem}.h
    COMMAND protobuf::protoc --proto_path=${PROJECT_SOURCE_DIR} --cpp_out=${out} ${PROJECT_SOURCE_DIR}/${proto}
    DEPENDS ${PROJECT_SOURCE_DIR}/${proto} VERBATIM)
  target_sources(giza_${library} PRIVATE ${stem}.cc ${stem}.h)
  # Flags of these files alone: the generated code is not ours to warn about.
  set_source_files_properties(${stem}.cc PROPERTIES COMPILE_OPTIONS "-w;-isystem${out}")
  set_source_files_properties(${ARG_USER} ${ARG_ONLY_WITH} PROPERTIES
    COMPILE_OPTIONS "-isystem${out}" COMPILE_DEFINITIONS GIZA_HAVE_PROTOBUF=1)
  target_link_libraries(giza_${library} PRIVATE protobuf::libprotobuf-lite)
endfunction()

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
# The scalar target is a target like the others (tests run on it); SSSE3 adds nothing beside SSE4. SVE's vectors have no size
# at compile time, so they cannot be members of the register tiles: ARM has NEON.
set(GIZA_SIMD_WITHOUT "(HWY_SSSE3|HWY_SVE|HWY_SVE2|HWY_SVE_256|HWY_SVE2_128)" CACHE STRING "Highway's targets that the kernels are not compiled for")
target_compile_definitions(giza_options INTERFACE HWY_BROKEN_EMU128=1 "HWY_DISABLED_TARGETS=${GIZA_SIMD_WITHOUT}")
# For programs without hot loops of their own, the command line and the tests: they build in half the time.
add_library(giza_light INTERFACE)
target_compile_options(giza_light INTERFACE $<$<CONFIG:Release>:-O1>)
if(GIZA_SANITIZE)
  # Without -fno-sanitize-recover the undefined behaviour sanitizer prints what it finds, and the test passes.
  target_compile_options(giza_options INTERFACE
    -fsanitize=${GIZA_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(giza_options INTERFACE -fsanitize=${GIZA_SANITIZE})
endif()

# giza_unity(TARGET): compiles the sources of one folder as one. Most of a build is reading the same headers and making the
# same templates again for each file: together they take a third of the time. What has compile options of its own, and
# the kernels, which include themselves once for each SIMD target, stay apart; so do the ops, whose files are read alone.
option(GIZA_UNITY "Compile the sources of a folder together" ON)
function(giza_unity target)
  if(NOT GIZA_UNITY)
    return()
  endif()
  set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_MODE GROUP)
  get_target_property(sources ${target} SOURCES)
  foreach(source IN LISTS sources)
    if(source MATCHES "[.]cc$" AND NOT source MATCHES "/(kernels|backends)/|/ops/[^/]*$")
      cmake_path(GET source PARENT_PATH folder)
      cmake_path(RELATIVE_PATH folder BASE_DIRECTORY ${PROJECT_SOURCE_DIR})
      string(REPLACE "/" "_" folder ${folder})
      set_source_files_properties(${source} PROPERTIES UNITY_GROUP ${folder})
    endif()
  endforeach()
endfunction()

# giza_library(NAME [LIGHT folder...] LINK ...): the static library giza_NAME (giza::NAME) of all sources below the folder
# NAME. What is below the folders of LIGHT has no hot loops and is compiled with -O1.
function(giza_library name)
  cmake_parse_arguments(ARG "" "" "LIGHT;LINK" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS
    ${PROJECT_SOURCE_DIR}/${name}/*.cc ${PROJECT_SOURCE_DIR}/${name}/*.h)
  if(ARG_LIGHT)
    list(JOIN ARG_LIGHT "|" folders)
    set(light ${sources})
    list(FILTER light INCLUDE REGEX "^${PROJECT_SOURCE_DIR}/${name}/(${folders})/")
    list(REMOVE_ITEM sources ${light})
    add_library(giza_${name}_light OBJECT ${light})
    giza_library_settings(giza_${name}_light ${ARG_LINK})
    target_link_libraries(giza_${name}_light PRIVATE giza_light)
    list(APPEND sources $<TARGET_OBJECTS:giza_${name}_light>)
  endif()
  add_library(giza_${name} STATIC ${sources})
  add_library(giza::${name} ALIAS giza_${name})
  giza_library_settings(giza_${name} ${ARG_LINK})
  set_target_properties(giza_${name} PROPERTIES EXPORT_NAME ${name})
endfunction()

function(giza_library_settings target)
  target_include_directories(${target} PUBLIC
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}/giza>)
  target_compile_features(${target} PUBLIC cxx_std_20)
  set_target_properties(${target} PROPERTIES POSITION_INDEPENDENT_CODE ON)
  target_link_libraries(${target} PRIVATE $<BUILD_INTERFACE:giza_options> ${ARGN})
  giza_unity(${target})
endfunction()

# giza_embed(TARGET FILE NAME): the text of FILE, without the comment that is its first line, as the constant
# `extern const char* const giza::train::NAME` of giza_TARGET.
function(giza_embed target file name)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/${file})
  file(READ ${PROJECT_SOURCE_DIR}/${file} text)
  string(FIND "${text}" "\n" end)
  string(SUBSTRING "${text}" ${end} -1 text)
  file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/embedded/${file}.cc @ONLY CONTENT
    "namespace giza::train {\nextern const char* const @name@;\nconst char* const @name@ = R\"text(@text@)text\";\n}\n")
  target_sources(giza_${target} PRIVATE ${PROJECT_BINARY_DIR}/embedded/${file}.cc)
endfunction()

# giza_protobuf(TARGET PROTO USER source... [ONLY_WITH source...]): adds what protoc makes of PROTO to giza_TARGET. Those of
# its sources that USER names may include it as "PATH/NAME.pb.h" where GIZA_HAVE_PROTOBUF is defined; those of ONLY_WITH
# may always, and are left out of a build without Protocol Buffers.
function(giza_protobuf target proto)
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
  target_sources(giza_${target} PRIVATE ${stem}.cc ${stem}.h)
  # Flags of these files alone: the generated code is not ours to warn about.
  set_source_files_properties(${stem}.cc PROPERTIES COMPILE_OPTIONS "-w;-isystem${out}")
  set_source_files_properties(${ARG_USER} ${ARG_ONLY_WITH} PROPERTIES
    COMPILE_OPTIONS "-isystem${out}" COMPILE_DEFINITIONS GIZA_HAVE_PROTOBUF=1)
  string(REGEX REPLACE "_light$" "" library ${target})
  target_link_libraries(giza_${library} PRIVATE protobuf::libprotobuf-lite)
  if(NOT target STREQUAL library)
    target_link_libraries(giza_${target} PRIVATE protobuf::libprotobuf-lite)
  endif()
endfunction()

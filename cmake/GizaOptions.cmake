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

# Install rules: the program, the libraries, their headers, and the package that find_package(giza) reads.
include(CMakePackageConfigHelpers)
set(GIZA_PACKAGE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/giza)
set(GIZA_FOLDERS tensor autograd layers models train)

install(TARGETS giza RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})

list(TRANSFORM GIZA_FOLDERS PREPEND giza_ OUTPUT_VARIABLE libraries)
# The interface targets go along because a static library still has to be linked with what it uses privately.
set_target_properties(giza_onednn PROPERTIES EXPORT_NAME onednn)
set_target_properties(giza_mpi PROPERTIES EXPORT_NAME mpi)
install(TARGETS ${libraries} giza_onednn giza_mpi EXPORT gizaTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(EXPORT gizaTargets NAMESPACE giza:: DESTINATION ${GIZA_PACKAGE_DIR})

# Headers keep their paths from the root, so that `#include "tensor/shape.h"` is the same in and out of the tree.
# What is private stands in folders of these names.
foreach(folder IN LISTS GIZA_FOLDERS)
  install(DIRECTORY ${PROJECT_SOURCE_DIR}/${folder} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/giza
    FILES_MATCHING PATTERN "*.h" PATTERN kernels EXCLUDE PATTERN backends EXCLUDE PATTERN conv EXCLUDE
    PATTERN pth EXCLUDE PATTERN detail EXCLUDE)
endforeach()

configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/gizaConfig.cmake.in ${PROJECT_BINARY_DIR}/gizaConfig.cmake
  INSTALL_DESTINATION ${GIZA_PACKAGE_DIR} NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/gizaConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/gizaConfig.cmake ${PROJECT_BINARY_DIR}/gizaConfigVersion.cmake
  DESTINATION ${GIZA_PACKAGE_DIR})
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE ${PROJECT_SOURCE_DIR}/README.md DESTINATION ${CMAKE_INSTALL_DOCDIR})

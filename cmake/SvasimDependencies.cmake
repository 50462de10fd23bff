# Everything comes from the distribution's packages; docs/decisions.md says why each is here.
find_package(Threads REQUIRED)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(Boost REQUIRED COMPONENTS program_options)
find_package(LibArchive REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(zstd REQUIRED IMPORTED_TARGET libzstd)

# SystemC's package has neither a CMake nor a reliable pkg-config file.
find_path(SYSTEMC_INCLUDE_DIR systemc PATHS $ENV{SYSTEMC_INCLUDE} /usr/include REQUIRED)
find_library(SYSTEMC_LIBRARY systemc REQUIRED)
add_library(svasim_systemc INTERFACE)
target_include_directories(svasim_systemc SYSTEM INTERFACE ${SYSTEMC_INCLUDE_DIR})

target_link_libraries(svasim_systemc INTERFACE ${SYSTEMC_LIBRARY} Threads::Threads)

if(SVASIM_BUILD_TESTS)
  find_package(GTest REQUIRED)
  find_package(benchmark REQUIRED)
  include(GoogleTest)
endif()

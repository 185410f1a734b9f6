/* Mbed-TLS/mbedtls v4.0.0 (esp-idf v6.0.2 has a fork of 4), include/mbedtls/build_info.h */
#pragma once
#define MBEDTLS_VERSION_MAJOR 4

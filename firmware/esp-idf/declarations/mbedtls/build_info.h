/* Mbed-TLS/mbedtls v3.6.5 (esp-idf v5.5.5 has a fork of 3.6), include/mbedtls/build_info.h */
#pragma once
#define MBEDTLS_VERSION_MAJOR 3

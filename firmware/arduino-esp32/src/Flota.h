/**
 * @file
 * Flota for Arduino-ESP32: the ESP-IDF component as it is (flota/flota.h), and the core told to leave new images on trial.
 */
#ifndef FLOTA_ARDUINO_H
#define FLOTA_ARDUINO_H

#include "flota/flota.h"

#endif

/**
 * @file
 * What goes wrong, as negative numbers. 0 is success; some functions return a count or an enum above 0.
 */
#ifndef OTA_ERROR_H
#define OTA_ERROR_H

/** All below 0 but OTA_OK. */
enum ota_error {
  OTA_OK = 0,
  /** A value that the caller passed is impossible: a null callback, a buffer below its minimum. Only from ota_agent_init. */
  OTA_ERR_ARGUMENT = -1,
  /** Storage did not write or read what was asked. The agent starts again from what is stored. */
  OTA_ERR_STORAGE = -2,
  /** No connection, or it broke. Tried again with back-off. */
  OTA_ERR_NETWORK = -3,
  /** A connection was open and brought nothing for the configured time. */
  OTA_ERR_STALLED = -4,
  /** It does not fit: a message in its buffer, a token in the token array, a text in its field. */
  OTA_ERR_SPACE = -5,
  /** Not JSON. */
  OTA_ERR_JSON = -6,
  /** JSON, but not the message that its topic promises. */
  OTA_ERR_SCHEMA = -7,
  /** A URL that is not https or not a URL. */
  OTA_ERR_URL = -8,
  /** Not a compact JWS with an ES256 header and a kid. */
  OTA_ERR_JWS = -9,
  /** A signature by no key that the device trusts. */
  OTA_ERR_SIGNATURE = -10,
  /** An installer could not write, or reads back something else. */
  OTA_ERR_INSTALL = -11,
  /** Not now; the same call will do later. */
  OTA_ERR_BUSY = -12,
  /** A certificate that is not for this device or not for its pending key. */
  OTA_ERR_CERTIFICATE = -13,
  /** There is none: an empty store, an empty slot. */
  OTA_ERR_ABSENT = -14,
  /** From an installer's `finish`: it is whole, but not an image that this processor can run. */
  OTA_ERR_IMAGE = -15,
};

#endif

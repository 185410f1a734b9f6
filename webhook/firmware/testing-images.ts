/** Heads of images, laid out as the headers of their makers have it. */

/**
 * The head of an ESP32 application: espressif/esp-idf v5.5, `esp_image_header_t` and `esp_image_segment_header_t`
 * (components/bootloader_support/include/esp_app_format.h), `esp_app_desc_t`
 * (components/esp_app_format/include/esp_app_desc.h).
 */
export function espImage(
  chipId: number,
  fields: {
    version?: string;
    project?: string;
    securityVersion?: number;
    idf?: string;
    elfSha256?: string;
  } = {},
): Buffer {
  const image = Buffer.alloc(24 + 8 + 256 + 64);
  image[0] = 0xe9; // magic
  image[1] = 5; // segment_count
  image.writeUInt32LE(0x40375a1c, 4); // entry_addr
  image[8] = 0xee; // wp_pin
  image.writeUInt16LE(chipId, 12); // chip_id
  image[23] = 1; // hash_appended
  image.writeUInt32LE(0x3c0a0020, 24); // load_addr
  image.writeUInt32LE(256 + 64, 28); // data_len
  const description = image.subarray(32);
  description.writeUInt32LE(0xabcd5432, 0); // magic_word
  description.writeUInt32LE(fields.securityVersion ?? 0, 4); // secure_version
  description.write((fields.version ?? '').slice(0, 32), 16);
  description.write(fields.project ?? '', 48);
  description.write('12:00:00', 80); // time
  description.write('Nov 29 2026', 96); // date
  description.write(fields.idf ?? '', 112);
  description.write(fields.elfSha256 ?? '', 144, 'hex');
  return image;
}

/** `struct image_header`: mcu-tools/mcuboot v2.2.0, boot/bootutil/include/bootutil/image.h. */
export function mcubootImage(major: number, minor: number, revision: number, build = 0): Buffer {
  const image = Buffer.alloc(0x200);
  image.writeUInt32LE(0x96f3b83d, 0); // ih_magic
  image.writeUInt16LE(0x200, 8); // ih_hdr_size
  image.writeUInt32LE(4096, 12); // ih_img_size
  image[20] = major;
  image[21] = minor;
  image.writeUInt16LE(revision, 22);
  image.writeUInt32LE(build, 24);
  return image;
}

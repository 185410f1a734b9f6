/** The first certificate, and the one after a grant: a request with a one-time token. */
#include <stdlib.h>
#include <string.h>

#include "../agent/ota_json.h"
#include "host.h"

enum { text_max = 32768 };

/** The stored request, or a new one. Kept until its answer is: a one-time token can only be used again with the very same CSR. */
static void read_request(struct host *host, bool with_known_key, char csr[text_max]) {
  if (host_file_bytes(host, host_enrolment_file) == 0 && host_enrolment_request(host, with_known_key) != OTA_OK)
    host_fail("cannot write to %s", host->options.dir);
  int bytes = host_read_file(host, host_enrolment_file, csr, text_max - 1);
  csr[bytes > 0 ? bytes : 0] = '\0';
  char *end = strstr(csr, "-----END CERTIFICATE REQUEST-----\n");
  if (!end) host_fail("%s/%s is damaged", host->options.dir, host_enrolment_file);
  *(strchr(end, '\n') + 1) = '\0';
}

int host_enroll(struct host *host) {
  static struct ota_json json;
  static char csr[text_max];
  static char body[text_max];
  static char answer[text_max];
  char url[1024];
  const char *problem = "";
  bool valid = false;
  bool usable = host_identity(host, &valid);
  if (valid || !host->options.enroll_url) return usable ? OTA_OK : OTA_ERR_CERTIFICATE;
  read_request(host, usable, csr);
  struct ota_text text;
  ota_text_begin(&text, body, sizeof body);
  ota_text_raw(&text, "{\"csr\":");
  ota_text_string(&text, csr);
  ota_text_raw(&text, "}");
  (void)ota_text_end(&text);
  (void)snprintf(url, sizeof url, "%s/api/issue_cert", host->options.enroll_url);
  long status = host_post(host, url, body, answer, sizeof answer, &problem);
  if (status == 0) host_fail("cannot enroll at %s: %s", host->options.enroll_url, problem);
  bool read = ota_json_object(&json, answer, strlen(answer)) == OTA_OK;
  const char *detail = read ? ota_json_text(&json, 0, "detail") : NULL;
  if (status < 200 || status > 299) host_fail("enrolment refused: %s", detail ? detail : "no reason given");
  const char *issued = read ? ota_json_text(&json, 0, "certificate") : NULL;
  const char *chain = read ? ota_json_text(&json, 0, "chain") : NULL;
  if (!issued || !chain) host_fail("the answer holds no certificate and chain");
  return host_enrolment_store(host, issued, chain);
}

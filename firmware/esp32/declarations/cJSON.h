/* DaveGamble/cJSON b2890c8 (the submodule of esp-idf v5.5.5), cJSON.h */
#pragma once
typedef struct cJSON cJSON;
cJSON *cJSON_Parse(const char *value);
void cJSON_Delete(cJSON *item);
cJSON *cJSON_GetObjectItemCaseSensitive(const cJSON *const object, const char *const string);
char *cJSON_GetStringValue(const cJSON *const item);

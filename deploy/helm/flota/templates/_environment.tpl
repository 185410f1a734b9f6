{{/* Of a copy of the webhook, as YAML; names are those of webhook/config.ts. Secrets are files, never variables. */}}
{{- define "flota.webhookEnvironment" -}}
{{- $files := "/run/secrets/flota" -}}
PUBLIC_URL: {{ required "publicUrl: is needed, the address of the console" .Values.publicUrl }}
TRUSTED_PROXIES: {{ .Values.trustedProxies }}
WEBHOOK_WORKERS: {{ .Values.webhook.workers }}
DATABASE_URL_FILE: {{ $files }}/database_url
S3_BUCKET: {{ required "store.bucket: is needed" .Values.store.bucket }}
AWS_REGION: {{ .Values.store.region }}
{{- with .Values.store.endpoint }}
S3_ENDPOINT: {{ . }}
{{- end }}
{{- with .Values.store.publicUrl }}
S3_PUBLIC_URL: {{ . }}
{{- end }}
{{- with .Values.store.deviceUrl }}
S3_DEVICE_URL: {{ . }}
{{- end }}
{{- if eq .Values.store.credentials "secret" }}
AWS_SHARED_CREDENTIALS_FILE: {{ $files }}/aws_credentials
{{- end }}
{{- with .Values.store.cdn.url }}
CDN_URL: {{ . }}
CDN_KEY_PAIR_ID: {{ required "store.cdn.keyPairId: is needed with store.cdn.url" $.Values.store.cdn.keyPairId }}
CDN_PRIVATE_KEY: {{ $files }}/cdn_private_key
{{- end }}
BROKER_API_URL: {{ .Values.broker.apiUrl }}
BROKER_API_KEY: {{ .Values.broker.apiKey }}
BROKER_API_SECRET_FILE: {{ $files }}/emqx_api_secret
{{- with .Values.broker.mqttUrl }}
BROKER_MQTT_URL: {{ . }}
{{- end }}
{{- with .Values.broker.dashboardUrl }}
BROKER_DASHBOARD_URL: {{ . }}
{{- end }}
CA_URL: {{ include "flota.caUrl" . }}
CA_CLIENT_CERT: {{ $files }}/webhook_certificate
CA_CLIENT_KEY: {{ $files }}/webhook_key
CA_ROOT: {{ $files }}/ca_trust
WEBHOOK_TOKEN_FILE: {{ $files }}/webhook_token
FLOTA_API_TOKEN_FILE: {{ $files }}/api_token
FLOTA_ADMIN_EMAIL: {{ .Values.adminEmail }}
FLOTA_ADMIN_PASSWORD_FILE: {{ $files }}/admin_password
FIRMWARE_KEYS: {{ $files }}/firmware_keys
{{- with .Values.oidc }}
{{- if .issuer }}
OIDC_ISSUER: {{ .issuer }}
OIDC_CLIENT_ID: {{ required "oidc.clientId: is needed with oidc.issuer" .clientId | quote }}
{{- if .confidential }}
OIDC_CLIENT_SECRET_FILE: {{ $files }}/oidc_client_secret
{{- end }}
OIDC_ROLE_CLAIM: {{ .roleClaim | quote }}
OIDC_ROLES: {{ required "oidc.roles: is needed with oidc.issuer" .roles | quote }}
OIDC_BUTTON: {{ .button | quote }}
{{- end }}
{{- end }}
{{- if .Values.encryption.enabled }}
SEALING_KEYS_FILE: {{ $files }}/sealing_keys
{{- end }}
{{- if .Values.telemetryDatabase.enabled }}
TELEMETRY_DATABASE_URL_FILE: {{ $files }}/telemetry_database_url
{{- end }}
{{- if .Values.mail.enabled }}
SMTP_URL_FILE: {{ $files }}/smtp_url
SMTP_FROM: {{ required "mail.from: is needed with mail.enabled" .Values.mail.from | quote }}
SMTP_TLS: {{ .Values.mail.tls | quote }}
{{- end }}
{{- with .Values.webhook.env }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Of the CA; names are those of ca/config.ts. */}}
{{- define "flota.caEnvironment" -}}
{{- $name := printf "%s-ca" (include "flota.name" .) -}}
# Not the volume's own root, which has a lost+found.
CA_DIR: /var/lib/flota/ca/state
CA_NAMES: {{ $name }},{{ $name }}.{{ .Release.Namespace }}.svc,localhost
CA_CALLERS: webhook.flota
CA_METRICS_PORT: 8082
CA_PASSPHRASE_FILE: /run/secrets/flota/ca_passphrase
CA_CRL_URL: {{ include "flota.inside" (dict "root" . "port" 8080) }}/crl/crl.pem
{{- with .Values.ca.kmsKeyId }}
CA_KMS_KEY_ID: {{ . }}
AWS_REGION: {{ $.Values.store.region }}
{{- end }}
{{- with .Values.ca.env }}
{{ toYaml . }}
{{- end }}
{{- end }}

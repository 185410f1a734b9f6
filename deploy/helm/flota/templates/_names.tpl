{{/* Everything is named after the release. */}}
{{- define "flota.name" -}}
{{- if contains "flota" .Release.Name -}}{{ .Release.Name | trunc 40 | trimSuffix "-" }}{{- else -}}{{ printf "%s-flota" .Release.Name | trunc 40 | trimSuffix "-" }}{{- end -}}
{{- end }}

{{/* (dict "root" $ "part" "webhook") */}}
{{- define "flota.selector" -}}
app.kubernetes.io/name: flota
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .part }}
{{- end }}

{{- define "flota.labels" -}}
{{ include "flota.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end }}

{{- define "flota.image" -}}
{{- $tag := .root.Values.image.tag | default .root.Chart.AppVersion -}}
{{- if hasPrefix "sha256:" $tag -}}{{ .repository }}@{{ $tag }}{{- else -}}{{ .repository }}:{{ $tag }}{{- end -}}
{{- end }}

{{- define "flota.caUrl" -}}
{{- if .Values.ca.enabled -}}https://{{ include "flota.name" . }}-ca:8443{{- else -}}{{ required "ca.url: is needed with ca.enabled=false" .Values.ca.url }}{{- end -}}
{{- end }}

{{/* Where EMQX fetches CRLs from: inside. */}}
{{- define "flota.inside" -}}
http://{{ include "flota.name" .root }}-webhook.{{ .root.Release.Namespace }}.svc:{{ .port }}
{{- end }}

{{- define "flota.webhookSecret" -}}{{ include "flota.name" . }}-webhook{{- end }}
{{- define "flota.caSecret" -}}{{ include "flota.name" . }}-ca{{- end }}

{{/* The same for all our pods. uid 1000 is the image's. */}}
{{- define "flota.podSecurity" -}}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .Values.image.pullSecrets }}
imagePullSecrets: {{- range . }}
  - name: {{ . }}
{{- end }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 1000
  runAsGroup: 1000
  fsGroup: 1000
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: { type: RuntimeDefault }
{{- end }}

{{- define "flota.containerSecurity" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: { drop: [ALL] }
{{- end }}

{{/* (dict "root" $ "part" "webhook"): over zones first, then over nodes; never a reason not to start. */}}
{{- define "flota.spread" -}}
topologySpreadConstraints:
{{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
  - maxSkew: 1
    topologyKey: {{ . }}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels: {{- include "flota.selector" $ | nindent 8 }}
{{- end }}
{{- end }}

{{- define "flota.placing" -}}
{{- with .nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end }}

{{/* Files of the webhook's Secret: those that deploy/compose/prepare makes, by their names there. */}}
{{- define "flota.webhookFiles" -}}
database_url emqx_api_secret webhook_certificate webhook_key ca_trust webhook_token api_token admin_password firmware_keys
{{- if eq .Values.store.credentials "secret" }} aws_credentials{{ end }}
{{- if .Values.store.cdn.url }} cdn_private_key{{ end }}
{{- if and .Values.oidc.issuer .Values.oidc.confidential }} oidc_client_secret{{ end }}
{{- if .Values.mail.enabled }} smtp_url{{ end }}
{{- if .Values.encryption.enabled }} sealing_keys{{ end }}
{{- if .Values.telemetryDatabase.enabled }} telemetry_database_url{{ end }}
{{- end }}

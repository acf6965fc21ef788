{{- define "holdfast.name" -}}
{{- printf "%s-%s" .Release.Name "holdfast" | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{- define "holdfast.labels" -}}
app.kubernetes.io/name: holdfast
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- define "holdfast.image" -}}
image: "{{ .Values.image.repository }}:{{ .Values.image.tag }}"
imagePullPolicy: {{ .Values.image.pullPolicy }}
{{- end -}}

{{- define "holdfast.secret" -}}
{name: {{ .variable }}, valueFrom: {secretKeyRef: {name: {{ .root.Values.existingSecret }}, key: {{ .key }}}}}
{{- end -}}

{{/* What every pod is: a user without rights. */}}
{{- define "holdfast.pod" -}}
automountServiceAccountToken: false
{{- with .Values.imagePullSecrets }}
imagePullSecrets: {{ toYaml . | nindent 2 }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "holdfast.platformEnv" -}}
- {{ include "holdfast.secret" (dict "root" . "variable" "DATABASE_URL" "key" "database-url") }}
- {{ include "holdfast.secret" (dict "root" . "variable" "WORKER_SECRET" "key" "worker-secret") }}
- {{ include "holdfast.secret" (dict "root" . "variable" "WORKER_RUNS_PRIVATE_KEY" "key" "run-private-key") }}
- {{ include "holdfast.secret" (dict "root" . "variable" "PRIMARY_ENCRYPTION_KEY" "key" "encryption-key") }}
- {{ include "holdfast.secret" (dict "root" . "variable" "HOLDFAST_ADMIN_TOKEN" "key" "admin-token") }}
{{- end -}}

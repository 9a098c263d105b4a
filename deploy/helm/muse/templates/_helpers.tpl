{{/* The beginning of every object's name, at most 26 characters. */}}
{{- define "muse.fullname" -}}
{{- if .Values.nameOverride -}}{{ .Values.nameOverride | trunc 26 | trimSuffix "-" }}
{{- else if contains "muse" .Release.Name -}}{{ .Release.Name | trunc 26 | trimSuffix "-" }}
{{- else -}}{{ printf "%s-muse" (.Release.Name | trunc 21 | trimSuffix "-") }}
{{- end -}}
{{- end -}}

{{/* The models, each with the sections api, worker and autoscaler complete. The root's sections are the defaults. */}}
{{- define "muse.models" -}}
{{- $models := dict -}}
{{- range $key, $model := .Values.models -}}
{{- $merged := dict "key" $key "name" ($model.name | default $key) "volume" ($model.volume | default dict) "subPath" ($model.subPath | default "") -}}
{{- range list "api" "worker" "autoscaler" -}}
{{- $_ := set $merged . (mergeOverwrite (deepCopy (index $.Values .)) (deepCopy (index $model . | default dict))) -}}
{{- end -}}
{{- $_ := set $models $key $merged -}}
{{- end -}}
{{- $models | toYaml -}}
{{- end -}}

{{/* Labels that select the pods of one program: dict root, model, component. */}}
{{- define "muse.selector" -}}
app.kubernetes.io/name: muse
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- with .model }}
muse-model: {{ .name | quote }}
{{- end }}
{{- end -}}

{{- define "muse.labels" -}}
{{ include "muse.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end -}}

{{- define "muse.image" -}}
{{ .image.repository }}:{{ .image.tag | default .root.Chart.AppVersion }}
{{- end -}}

{{- define "muse.podSecurity" -}}
runAsNonRoot: true
runAsUser: {{ . }}
runAsGroup: {{ . }}
fsGroup: {{ . }}
fsGroupChangePolicy: OnRootMismatch
seccompProfile: { type: RuntimeDefault }
{{- end -}}

{{- define "muse.containerSecurity" -}}
allowPrivilegeEscalation: false
privileged: false
readOnlyRootFilesystem: true
capabilities: { drop: [ALL] }
{{- end -}}

{{/* Where pods run: dict of nodeSelector, tolerations, affinity. */}}
{{- define "muse.placement" -}}
{{- with .nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "muse.redisSecret" -}}
{{- if .Values.redis.enabled -}}{{ include "muse.fullname" . }}-redis
{{- else -}}{{ required "redis.externalSecret is needed where redis.enabled is false" .Values.redis.externalSecret }}
{{- end -}}
{{- end -}}

{{- define "muse.apiKeysSecret" -}}
{{- .Values.apiKeys.existingSecret | default (printf "%s-api-keys" (include "muse.fullname" .)) -}}
{{- end -}}

{{/* Environment that every program has: dict root, model, env. */}}
{{- define "muse.env" -}}
- name: ConnectionStrings__redis
  valueFrom:
    secretKeyRef:
      name: {{ include "muse.redisSecret" .root }}
      key: {{ ternary "connection-string" .root.Values.redis.externalSecretKey .root.Values.redis.enabled }}
- name: MUSE_MODEL
  value: {{ printf "%s/%s" (empty .model.volume | ternary "/app/models" "/models") .model.name | quote }}
- name: ASPNETCORE_HTTP_PORTS
  value: "8080"
{{- with .root.Values.telemetry.otlpEndpoint }}
- name: OTEL_EXPORTER_OTLP_ENDPOINT
  value: {{ . | quote }}
- name: MUSE_TRACES_PER_SECOND
  value: {{ $.root.Values.telemetry.tracesPerSecond | quote }}
{{- end }}
{{- range $name, $value := .env }}
- name: {{ $name }}
  value: {{ $value | quote }}
{{- end }}
{{- end -}}

{{/* Environment of the programs that use the object store: the root. */}}
{{- define "muse.objectStoreEnv" -}}
{{- with .Values.objectStore -}}
{{- if .bucket -}}
- name: ObjectStore__Bucket
  value: {{ .bucket | quote }}
- name: ObjectStore__Region
  value: {{ .region | quote }}
{{- with .endpoint }}
- name: ObjectStore__Endpoint
  value: {{ . | quote }}
{{- end }}
{{- with .publicEndpoint }}
- name: ObjectStore__PublicEndpoint
  value: {{ . | quote }}
{{- end }}
{{- with .prefix }}
- name: ObjectStore__Prefix
  value: {{ . | quote }}
{{- end }}
{{- if .redirectLinks }}
- name: ObjectStore__RedirectLinks
  value: "true"
{{- end }}
{{- $secret := required "objectStore.existingSecret is needed where objectStore.bucket is set" .existingSecret }}
- name: ObjectStore__AccessKey
  valueFrom: { secretKeyRef: { name: {{ $secret }}, key: {{ .accessKeyKey }} } }
- name: ObjectStore__SecretKey
  valueFrom: { secretKeyRef: { name: {{ $secret }}, key: {{ .secretKeyKey }} } }
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "muse.probes" -}}
readinessProbe:
  httpGet: { path: /health, port: http }
  periodSeconds: 5
  timeoutSeconds: 5
livenessProbe:
  httpGet: { path: /alive, port: http }
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
{{- end -}}

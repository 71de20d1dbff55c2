{{- /* SPDX-License-Identifier: Apache-2.0 */ -}}

{{- define "eviction-agent.labels" -}}
app.kubernetes.io/name: eviction-agent
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "eviction-agent.selector" -}}
app.kubernetes.io/name: eviction-agent
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "eviction-agent.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{- define "eviction-agent.dataDir" -}}
{{ .Values.host.dataDir | default (printf "/var/lib/rancher/%s" .Values.host.distribution) }}
{{- end }}

{{- define "eviction-agent.runtimeDir" -}}
{{ .Values.host.runtimeDir | default (ternary "/run/containerd" "/run/k3s/containerd" (eq .Values.host.distribution "kubelet")) }}
{{- end }}

{{- define "eviction-agent.ownServiceUnit" -}}
{{ or .Values.restartUnit (eq .Values.host.distribution "k3s" "kubelet") }}
{{- end }}

{{- /* One INI file; the mode is given, since a node that was put back must not begin anew. */ -}}
{{- define "eviction-agent.ini" -}}
{{- $sections := deepCopy (.root.Values.config | default dict) -}}
{{- if hasKey (get $sections "agent" | default dict) "mode" -}}
{{- fail "config.agent.mode has no effect: set the value mode instead" -}}
{{- end -}}
{{- if and .root.Values.metrics.enabled (hasKey (get $sections "metrics" | default dict) "listen") -}}
{{- fail "config.metrics.listen has no effect while metrics.enabled: set metrics.address and metrics.port instead" -}}
{{- end -}}
{{- $_ := set $sections "agent" (merge (dict "mode" .mode) (get $sections "agent" | default dict)) -}}
{{- if hasKey (get $sections "kubelet" | default dict) "restart-unit" -}}
{{- fail "config.kubelet.restart-unit has no effect: set the value restartUnit instead" -}}
{{- end -}}
{{- if .root.Values.restartUnit -}}
{{- $_ := set $sections "kubelet" (merge (dict "restart-unit" "yes") (get $sections "kubelet" | default dict)) -}}
{{- end -}}
{{- if .root.Values.metrics.enabled -}}
{{- $_ := set $sections "metrics" (merge (dict "listen" (printf "%s:%d" .root.Values.metrics.address (int .root.Values.metrics.port))) (get $sections "metrics" | default dict)) -}}
{{- end -}}
{{- range $section, $keys := $sections }}
[{{ $section }}]
{{- range $key, $value := $keys }}
{{- /* YAML's yes and no are booleans, which would be written as true and false. */}}
{{ $key }} = {{ if kindIs "bool" $value }}{{ ternary "yes" "no" $value }}{{ else }}{{ $value }}{{ end }}
{{- end }}
{{ end -}}
{{- end }}

{{- /* Whether there is who scrapes, evaluates and shows. */ -}}
{{- define "eviction-agent.monitored" -}}
{{ and .Values.metrics.enabled (.Capabilities.APIVersions.Has "monitoring.coreos.com/v1") }}
{{- end }}

{{- define "eviction-agent.mounts" -}}
- {name: cgroup, mountPath: /host/sys/fs/cgroup, readOnly: true}
- {name: mm, mountPath: /host/sys/kernel/mm, readOnly: true}
- {name: kubelet, mountPath: /host/var/lib/kubelet, readOnly: true, mountPropagation: HostToContainer}
- {name: pod-logs, mountPath: /host/var/log/pods, readOnly: true}
- {name: runtime, mountPath: {{ printf "/host%s" (include "eviction-agent.runtimeDir" .) }}, readOnly: true}
{{- if ne .Values.host.distribution "kubelet" }}
{{- $data := include "eviction-agent.dataDir" . }}
- {name: agent, mountPath: {{ printf "/host%s/agent" $data }}, readOnly: true, mountPropagation: HostToContainer}
- {name: agent-etc, mountPath: {{ printf "/host%s/agent/etc" $data }}}
- {name: supervisor, mountPath: {{ printf "/host/etc/rancher/%s" .Values.host.distribution }}}
{{- else }}
{{- if eq (trimSuffix "/" .Values.host.configDir) "/etc/kubernetes" }}
{{- fail "host.configDir cannot be /etc/kubernetes itself: name a folder that holds drop-ins alone" }}
{{- end }}
- {name: kubernetes, mountPath: /host/etc/kubernetes, readOnly: true}
- {name: config-dir, mountPath: {{ printf "/host%s" .Values.host.configDir }}}
{{- end }}
{{- if eq (include "eviction-agent.ownServiceUnit" .) "true" }}
- {name: units, mountPath: /host/etc/systemd/system, readOnly: true}
- {name: vendor-units, mountPath: /host/usr/lib/systemd/system, readOnly: true}
- {name: dbus, mountPath: /run/dbus, readOnly: true}
{{- end }}
{{- if .Values.kernelLog }}
- {name: kmsg, mountPath: /host/dev/kmsg, readOnly: true}
{{- end }}
- {name: run, mountPath: /host/run/eviction-agent}
- {name: state, mountPath: /host/var/lib/eviction-agent}
- {name: token, mountPath: /var/run/secrets/kubernetes.io/serviceaccount, readOnly: true}
- {name: configuration, mountPath: /host/etc/eviction-agent, readOnly: true}
{{- end }}

{{- define "eviction-agent.securityContext" -}}
# The kubelet's files, sockets and process are root's.
runAsUser: 0
runAsNonRoot: false
readOnlyRootFilesystem: true
{{- if .Values.kernelLog }}
# A container may open /dev/kmsg only if it may open every device, whatever its capabilities.
privileged: true
{{- else }}
privileged: false
allowPrivilegeEscalation: false
capabilities:
  drop: [ALL]
  add:
    # Reads /proc/PID/exe and /proc/PID/environ of the kubelet: its version and configuration. The
    # kernel asks for it because the kubelet has capabilities that the agent lacks.
    - SYS_PTRACE
    # Opens a trigger on /proc/pressure/memory, in Linux 5.13 to 6.3.
    - SYS_RESOURCE
seccompProfile: {type: RuntimeDefault}
{{- end }}
# The default profile refuses signals to processes outside the container, and D-Bus.
{{- if semverCompare ">= 1.30.0-0" .Capabilities.KubeVersion.Version }}
appArmorProfile: {type: Unconfined}
{{- end }}
# SELinux's confined container type may neither read host files nor signal the kubelet.
seLinuxOptions: {type: spc_t}
{{- end }}

{{- /* Takes back, on one node, all that the agent wrote there. */ -}}
{{- define "eviction-agent.rollback" -}}
[rollback, --path.rootfs=/host, --path.procfs=/proc]
{{- end }}

{{- /* Before the agent starts. Always there: what the Job of put-back.yaml tells it to do instead of
nothing, helm can tell it to leave again. */ -}}
{{- define "eviction-agent.putBack" -}}
name: put-back
image: {{ include "eviction-agent.image" . }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
args: {{ if eq .Values.mode "removed" }}{{ include "eviction-agent.rollback" . }}{{ else }}[version]{{ end }}
securityContext:
  {{- include "eviction-agent.securityContext" . | nindent 2 }}
resources:
  {{- include "eviction-agent.resources" . | nindent 2 }}
volumeMounts:
  {{- include "eviction-agent.mounts" . | nindent 2 }}
{{- end }}

{{- define "eviction-agent.resources" -}}
requests: {cpu: {{ .Values.resources.cpu }}, memory: {{ .Values.resources.memory }}}
limits: {cpu: {{ .Values.resources.cpu }}, memory: {{ .Values.resources.memory }}}
{{- end }}

{{- define "eviction-agent.args" -}}
[run, --path.rootfs=/host, --path.procfs=/proc, --config=/host/etc/eviction-agent/{{ . }}]
{{- end }}

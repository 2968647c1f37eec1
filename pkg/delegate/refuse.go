package delegate

import (
	"errors"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
)

// RefusedError says why a pod must not leave the source cluster. It stays refused until the pod or the Target changes.
type RefusedError struct{ Reasons []string }

// Error lists every reason, and what to do. It does not name the pod: all pods of its kind are refused alike.
func (e *RefusedError) Error() string {
	return fmt.Sprintf("the pod cannot go there: %s. Change it, or take its annotation %s away to keep it in the source cluster",
		strings.Join(e.Reasons, "; "), v1alpha1.AnnotationElect)
}

// IsRefused says whether an error is, or wraps, a *RefusedError.
func IsRefused(err error) bool {
	var refused *RefusedError
	return errors.As(err, &refused)
}

// What is refused of a whole pod.
const (
	reasonMirror    = "it is a static pod, which belongs to the kubelet that made it: run it by a Deployment or Job"
	reasonDaemonSet = "it belongs to a DaemonSet, whose pods belong to nodes of the source cluster: run it by a Deployment or Job"
	reasonClaims    = "spec.resourceClaims name devices of the source cluster: request the device as an extended resource"
)

// What is refused of a whole pod where the Target's podSecurity is Baseline.
const (
	reasonHostNetwork = "spec.hostNetwork would open the target's node network to it: use container ports"
	reasonHostPID     = "spec.hostPID would show it every process of the target's node: remove it"
	reasonHostIPC     = "spec.hostIPC would open the memory of the target's node to it: remove it"
	reasonHostProcess = "windowsOptions.hostProcess would make it a process of the target's node: remove it"
)

// What is refused of a container or volume: the format takes its name.
const (
	reasonPrivileged = "container %s is privileged, which would give it the target's node: remove securityContext.privileged"
	reasonCapability = "container %s adds the capability %s, which reaches out of a container: remove it"
	reasonHostPath   = "volume %s is a hostPath, whose files are on a node of the source cluster: use a ConfigMap, Secret or emptyDir"
	reasonPVC        = "volume %s is a PersistentVolumeClaim, whose data stays in the source cluster: use object storage, or an ephemeral volume"
	reasonToken      = "volume %s has a service-account token, and credentials of the source cluster are not shipped: put one made for the job into a Secret"
)

const annotationMirror = "kubernetes.io/config.mirror"

// baselineCapabilities are those that the baseline Pod Security Standard lets a container add.
var baselineCapabilities = map[corev1.Capability]bool{
	"AUDIT_WRITE": true, "CHOWN": true, "DAC_OVERRIDE": true, "FOWNER": true, "FSETID": true, "KILL": true, "MKNOD": true,
	"NET_BIND_SERVICE": true, "SETFCAP": true, "SETGID": true, "SETPCAP": true, "SETUID": true, "SYS_CHROOT": true,
}

// reasons why a pod must not leave.
type reasons []string

func (r *reasons) add(refused bool, reason string) {
	if refused {
		*r = append(*r, reason)
	}
}

// forbidden lists why a pod must not leave, whatever the target's nodes are.
func forbidden(pod *corev1.Pod, security v1alpha1.PodSecurity) []string {
	var r reasons
	spec := &pod.Spec
	_, mirror := pod.Annotations[annotationMirror]
	r.add(mirror, reasonMirror)
	r.add(ownedByDaemonSet(pod), reasonDaemonSet)
	r.add(len(spec.ResourceClaims) > 0, reasonClaims)
	for i := range spec.Volumes {
		if reason := forbiddenVolume(&spec.Volumes[i]); reason != "" {
			r.add(true, fmt.Sprintf(reason, spec.Volumes[i].Name))
		}
	}
	if security == v1alpha1.PodSecurityPrivileged {
		return r
	}
	return append(r, beyondBaseline(spec)...)
}

// beyondBaseline lists what would give a pod something of the target's node.
func beyondBaseline(spec *corev1.PodSpec) []string {
	var r reasons
	r.add(spec.HostNetwork, reasonHostNetwork)
	r.add(spec.HostPID, reasonHostPID)
	r.add(spec.HostIPC, reasonHostIPC)
	r.add(spec.SecurityContext != nil && isHostProcess(spec.SecurityContext.WindowsOptions), reasonHostProcess)
	for i := range spec.Volumes {
		r.add(spec.Volumes[i].HostPath != nil, fmt.Sprintf(reasonHostPath, spec.Volumes[i].Name))
	}
	r = append(r, forbiddenContainers(spec.InitContainers)...)
	return append(r, forbiddenContainers(spec.Containers)...)
}

func ownedByDaemonSet(pod *corev1.Pod) bool {
	owner := metav1.GetControllerOfNoCopy(pod)
	return owner != nil && owner.Kind == "DaemonSet" && strings.HasPrefix(owner.APIVersion, "apps/")
}

func isHostProcess(options *corev1.WindowsSecurityContextOptions) bool {
	return options != nil && options.HostProcess != nil && *options.HostProcess
}

func forbiddenVolume(volume *corev1.Volume) string {
	switch {
	case volume.PersistentVolumeClaim != nil:
		return reasonPVC
	case hasCredential(volume) && !IsInjectedToken(volume):
		return reasonToken
	default:
		return ""
	}
}

// hasCredential tells of identities that a kubelet would obtain for the pod's service account.
func hasCredential(volume *corev1.Volume) bool {
	if volume.Projected == nil {
		return false
	}
	for i := range volume.Projected.Sources {
		if source := &volume.Projected.Sources[i]; source.ServiceAccountToken != nil || source.PodCertificate != nil {
			return true
		}
	}
	return false
}

// IsInjectedToken recognises the volume that admission adds to every pod with a service account. No delegate has it.
func IsInjectedToken(volume *corev1.Volume) bool {
	if volume.Projected == nil || !strings.HasPrefix(volume.Name, "kube-api-access-") {
		return false
	}
	token := false
	for i := range volume.Projected.Sources {
		source := &volume.Projected.Sources[i]
		if source.Secret != nil || source.PodCertificate != nil {
			return false
		}
		token = token || source.ServiceAccountToken != nil
	}
	return token
}

func forbiddenContainers(containers []corev1.Container) []string {
	var reasons []string
	for i := range containers {
		name, security := containers[i].Name, containers[i].SecurityContext
		if security == nil {
			continue
		}
		if security.Privileged != nil && *security.Privileged {
			reasons = append(reasons, fmt.Sprintf(reasonPrivileged, name))
		}
		if isHostProcess(security.WindowsOptions) {
			reasons = append(reasons, reasonHostProcess)
		}
		reasons = append(reasons, forbiddenCapabilities(name, security.Capabilities)...)
	}
	return reasons
}

func forbiddenCapabilities(container string, capabilities *corev1.Capabilities) []string {
	if capabilities == nil {
		return nil
	}
	var reasons []string
	for _, capability := range capabilities.Add {
		if !baselineCapabilities[capability] {
			reasons = append(reasons, fmt.Sprintf(reasonCapability, container, capability))
		}
	}
	return reasons
}

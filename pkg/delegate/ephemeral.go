package delegate

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
)

// addedEphemeral returns the ephemeral containers that the delegate lacks, as they are sent, and why others are not.
func addedEphemeral(source, delegate *corev1.Pod, o Options) (added []corev1.EphemeralContainer, refused []string) {
	for i := range source.Spec.EphemeralContainers {
		if hasEphemeral(delegate, source.Spec.EphemeralContainers[i].Name) {
			continue
		}
		made := source.Spec.EphemeralContainers[i].DeepCopy()
		asContainer := (*corev1.Container)(&made.EphemeralContainerCommon)
		if reasons := forbiddenEphemeral(asContainer, o.Target.PodSecurity); len(reasons) > 0 {
			refused = append(refused, reasons...)
			continue
		}
		asContainer.VolumeMounts = slices.DeleteFunc(asContainer.VolumeMounts, func(mount corev1.VolumeMount) bool {
			return slices.ContainsFunc(source.Spec.Volumes, func(v corev1.Volume) bool { return v.Name == mount.Name && IsInjectedToken(&v) })
		})
		resolveEnv(asContainer.Env, source)
		renameReferences(&corev1.PodSpec{Containers: []corev1.Container{*asContainer}}, o.SourceCluster, source.Namespace)
		added = append(added, *made)
	}
	return added, refused
}

// forbiddenEphemeral allows tracing, which every debugger needs and kubectl debug asks for: it reaches what the container
// sees, and that is its own pod.
func forbiddenEphemeral(c *corev1.Container, security v1alpha1.PodSecurity) []string {
	if security == v1alpha1.PodSecurityPrivileged {
		return nil
	}
	return slices.DeleteFunc(forbiddenContainers([]corev1.Container{*c}), func(reason string) bool {
		return reason == fmt.Sprintf(reasonCapability, c.Name, "SYS_PTRACE")
	})
}

func hasEphemeral(pod *corev1.Pod, name string) bool { return isEphemeral(pod)(name) }

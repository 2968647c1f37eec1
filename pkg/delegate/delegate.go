package delegate

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
)

// Options say for which target a delegate is made.
type Options struct {
	// SourceCluster is the UID of the source's kube-system namespace.
	SourceCluster string
	// TargetName is the Target's.
	TargetName string
	// Target is the Target's spec: its node selector and tolerations are added, its namespaces mapped, and constraints on
	// the keys of its labels are decided between targets.
	Target *v1alpha1.TargetSpec
}

// New makes the delegate of a source pod, which it does not change. The same pod and options give the same delegate,
// before and after the source pod is bound. A pod that must not leave gives a *RefusedError that lists every reason.
func New(pod *corev1.Pod, o Options) (*corev1.Pod, error) {
	d, err := Draft(pod, o)
	if err != nil {
		return nil, err
	}
	recordOf(pod, d).write(d)
	return d, nil
}

// Draft is the delegate without the record of what is sent: enough to try where it fits, which is done far more often.
func Draft(pod *corev1.Pod, o Options) (*corev1.Pod, error) {
	d := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: Name(pod, o.SourceCluster), Namespace: Namespace(o.Target.Namespaces, pod.Namespace)},
		Spec:       *pod.Spec.DeepCopy(),
	}
	describe(d, pod, o)
	reasons := append(forbidden(pod, o.Target.PodSecurity), constrain(&d.Spec, o)...)
	if len(reasons) > 0 {
		return nil, &RefusedError{Reasons: reasons}
	}
	leaveBehind(&d.Spec)
	dropInjectedToken(&d.Spec)
	keepHostname(&d.Spec, pod)
	resolveDownward(d, pod)
	renameReferences(&d.Spec, o.SourceCluster, pod.Namespace)
	return d, nil
}

// leaveBehind clears what has a meaning only in the source cluster, and what the target's own admission computes and
// would refuse when it finds it set to something else.
func leaveBehind(spec *corev1.PodSpec) {
	spec.NodeName = ""
	spec.SchedulerName = ""
	spec.SchedulingGates = nil
	spec.SchedulingGroup = nil
	spec.EvictionResponders = nil
	spec.EphemeralContainers = nil // cannot be set at creation
	spec.ReadinessGates = nil

	// Priorities and overhead are numbers that the target's admission derives from its own classes.
	spec.PriorityClassName = ""
	spec.Priority = nil
	spec.PreemptionPolicy = nil
	spec.Overhead = nil

	spec.ServiceAccountName = ""
	spec.DeprecatedServiceAccount = ""
	spec.AutomountServiceAccountToken = ptr.To(false)
	// Otherwise the environment would fill with the target's Services, under names that mean something else in the source.
	spec.EnableServiceLinks = ptr.To(false)
}

// dropInjectedToken removes the volume with the service-account token that the source's admission added, and its mounts.
func dropInjectedToken(spec *corev1.PodSpec) {
	spec.Volumes = slices.DeleteFunc(spec.Volumes, func(volume corev1.Volume) bool {
		if !IsInjectedToken(&volume) {
			return false
		}
		dropMounts(spec.InitContainers, volume.Name)
		dropMounts(spec.Containers, volume.Name)
		return true
	})
}

func dropMounts(containers []corev1.Container, volume string) {
	for i := range containers {
		containers[i].VolumeMounts = slices.DeleteFunc(containers[i].VolumeMounts, func(mount corev1.VolumeMount) bool {
			return mount.Name == volume
		})
	}
}

// keepHostname makes the pod see the name it has in the source: programs key leases, ranks and metrics on it.
func keepHostname(spec *corev1.PodSpec, source *corev1.Pod) {
	if spec.Hostname == "" {
		spec.Hostname = hostname(source.Name)
	}
}

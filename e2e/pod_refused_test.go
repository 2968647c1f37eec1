package e2e

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
)

func TestAPodThatMustNotLeaveIsRefusedBeforeAnythingIsCreated(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		change change
		says   []string
	}{
		"a hostPath volume": {
			func(_ *metav1.ObjectMeta, spec *corev1.PodSpec) {
				spec.Volumes = []corev1.Volume{{Name: "disk", VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/"}}}}
			},
			[]string{"volume disk is a hostPath", "use a ConfigMap, Secret or emptyDir"},
		},
		"the host's network": {
			func(_ *metav1.ObjectMeta, spec *corev1.PodSpec) { spec.HostNetwork = true },
			[]string{"spec.hostNetwork would open the target's node network", "use container ports"},
		},
		"the host's processes": {
			func(_ *metav1.ObjectMeta, spec *corev1.PodSpec) { spec.HostPID = true },
			[]string{"spec.hostPID", "remove it"},
		},
		"a privileged container": {
			func(_ *metav1.ObjectMeta, spec *corev1.PodSpec) {
				spec.Containers[0].SecurityContext = &corev1.SecurityContext{Privileged: ptr.To(true)}
			},
			[]string{"container main is privileged", "remove securityContext.privileged"},
		},
		"a token of the source": {
			func(_ *metav1.ObjectMeta, spec *corev1.PodSpec) {
				spec.Volumes = []corev1.Volume{{Name: "vault", VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{
					Sources: []corev1.VolumeProjection{{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{Path: "token", Audience: "vault"}}}}}}}
			},
			[]string{"volume vault has a service-account token", "put one made for the job into a Secret"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := givenNamespace(t, source, burst)
			s.givenPolicy(v1alpha1.PlacementPolicySpec{Mode: v1alpha1.ModeRemoteOnly})

			s.createElected("refused", test.change)

			s.expectUnschedulable("refused", append(test.says, "cloud", "heata", v1alpha1.AnnotationElect)...)
			s.expectNoDelegates()
		})
	}
}

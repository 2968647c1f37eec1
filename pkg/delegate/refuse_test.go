package delegate_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
	"github.com/spillway-dev/spillway/pkg/delegate"
)

func TestWhatMustNotLeaveIsRefusedByName(t *testing.T) {
	volume := func(source corev1.VolumeSource) func(*corev1.Pod) {
		return func(pod *corev1.Pod) {
			pod.Spec.Volumes = append(pod.Spec.Volumes, corev1.Volume{Name: "v", VolumeSource: source})
		}
	}
	security := func(context corev1.SecurityContext) func(*corev1.Pod) {
		return func(pod *corev1.Pod) { pod.Spec.Containers[0].SecurityContext = &context }
	}
	hostProcess := &corev1.WindowsSecurityContextOptions{HostProcess: ptr.To(true)}
	tests := map[string]struct {
		change func(*corev1.Pod)
		want   string
	}{
		"the host's network":   {func(p *corev1.Pod) { p.Spec.HostNetwork = true }, "spec.hostNetwork"},
		"the host's processes": {func(p *corev1.Pod) { p.Spec.HostPID = true }, "spec.hostPID"},
		"the host's memory":    {func(p *corev1.Pod) { p.Spec.HostIPC = true }, "spec.hostIPC"},
		"a static pod":         {func(p *corev1.Pod) { p.Annotations["kubernetes.io/config.mirror"] = "x" }, "static pod"},
		"a DaemonSet's pod": {func(p *corev1.Pod) {
			p.OwnerReferences = []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "DaemonSet", Controller: ptr.To(true)}}
		}, "DaemonSet"},
		"devices":                {func(p *corev1.Pod) { p.Spec.ResourceClaims = []corev1.PodResourceClaim{{Name: "gpu"}} }, "spec.resourceClaims"},
		"a privileged container": {security(corev1.SecurityContext{Privileged: ptr.To(true)}), "container main is privileged"},
		"a privileged init container": {func(p *corev1.Pod) {
			p.Spec.InitContainers = []corev1.Container{{Name: "prepare", SecurityContext: &corev1.SecurityContext{Privileged: ptr.To(true)}}}
		}, "container prepare is privileged"},
		"a capability":                {security(corev1.SecurityContext{Capabilities: &corev1.Capabilities{Add: []corev1.Capability{"CHOWN", "SYS_ADMIN"}}}), "capability SYS_ADMIN"},
		"a host process":              {security(corev1.SecurityContext{WindowsOptions: hostProcess}), "hostProcess"},
		"a pod of host processes":     {func(p *corev1.Pod) { p.Spec.SecurityContext = &corev1.PodSecurityContext{WindowsOptions: hostProcess} }, "hostProcess"},
		"a host path":                 {volume(corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/"}}), "volume v is a hostPath"},
		"a persistent volume's claim": {volume(corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{}}), "volume v is a PersistentVolumeClaim"},
		"a service account's token": {volume(corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{
			Sources: []corev1.VolumeProjection{{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{Path: "t"}}}}}), "volume v has a service-account token"},
		"a certificate of the service account": {volume(corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{
			Sources: []corev1.VolumeProjection{{PodCertificate: &corev1.PodCertificateProjection{}}}}}), "volume v has a service-account token"},
		"a token beside a Secret, in a volume named as admission's": {func(p *corev1.Pod) {
			sources := &p.Spec.Volumes[1].Projected.Sources
			*sources = append(*sources, corev1.VolumeProjection{Secret: &corev1.SecretProjection{}})
		}, "volume kube-api-access-x7k2p has a service-account token"},
		"another target":             {func(p *corev1.Pod) { p.Spec.NodeSelector = map[string]string{"spillway.dev/target": "cloud"} }, "spec.nodeSelector wants spillway.dev/target=cloud"},
		"another region":             {func(p *corev1.Pod) { p.Spec.NodeSelector = map[string]string{corev1.LabelTopologyRegion: "eu"} }, "wants topology.kubernetes.io/region=eu, which is not what the Target's labels say"},
		"nodes that the Target bars": {func(p *corev1.Pod) { p.Spec.NodeSelector = map[string]string{"role.heata.co/capture-heat": "false"} }, "limits its nodes to role.heata.co/capture-heat=true"},
		"an affinity to elsewhere":   {func(p *corev1.Pod) { p.Spec.Affinity = required(term(in(corev1.LabelTopologyRegion, "eu"))) }, "spec.affinity.nodeAffinity excludes the Target's labels"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			source := jobPod()
			tt.change(source)

			got, err := delegate.New(source, heata())

			assert.Nil(t, got)
			require.True(t, delegate.IsRefused(fmt.Errorf("placing: %w", err)))
			assert.ErrorContains(t, err, tt.want)
			assert.NotContains(t, err.Error(), "render-0-x8vbz", "the answer is kept for all pods of this kind")
			var refused *delegate.RefusedError
			require.ErrorAs(t, err, &refused)
			assert.Len(t, refused.Reasons, 1)
		})
	}
}

func TestATargetThatTrustsItsSourceTakesPodsThatWantItsNodes(t *testing.T) {
	source, options := jobPod(), heata()
	options.Target.PodSecurity = v1alpha1.PodSecurityPrivileged
	source.Spec.HostNetwork, source.Spec.HostPID = true, true
	source.Spec.Containers[0].SecurityContext = &corev1.SecurityContext{
		Privileged: ptr.To(true), Capabilities: &corev1.Capabilities{Add: []corev1.Capability{"SYS_ADMIN"}},
	}
	hostPath := corev1.Volume{Name: "v", VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/tmp"}}}
	source.Spec.Volumes = append(source.Spec.Volumes, hostPath)

	got, err := delegate.New(source, options)

	require.NoError(t, err)
	assert.True(t, got.Spec.HostNetwork && got.Spec.HostPID)
	assert.Equal(t, source.Spec.Containers[0].SecurityContext, got.Spec.Containers[0].SecurityContext)
	assert.Contains(t, got.Spec.Volumes, hostPath)

	claim := corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{}}
	source.Spec.Volumes = append(source.Spec.Volumes, corev1.Volume{Name: "c", VolumeSource: claim})
	_, err = delegate.New(source, options)
	assert.True(t, delegate.IsRefused(err), "what belongs to the source cluster stays there")
}

func TestARefusalListsEveryReason(t *testing.T) {
	source := jobPod()
	source.Spec.HostNetwork, source.Spec.HostPID = true, true
	source.Spec.NodeSelector = map[string]string{"spillway.dev/target": "cloud"}

	_, err := delegate.New(source, heata())

	var refused *delegate.RefusedError
	require.ErrorAs(t, err, &refused)
	assert.Len(t, refused.Reasons, 3)
	assert.False(t, delegate.IsRefused(errors.New("something else")))
}

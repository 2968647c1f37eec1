package delegate_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
	"github.com/spillway-dev/spillway/pkg/delegate"
)

// choices turns fuzzed bytes into decisions; when they have run out, every decision is the first.
type choices struct{ data []byte }

func (c *choices) of(n int) int {
	if len(c.data) == 0 {
		return 0
	}
	b := c.data[0]
	c.data = c.data[1:]
	return int(b) % n
}

func (c *choices) yes() bool { return c.of(2) == 1 }

func pick[T any](c *choices, options ...T) T { return options[c.of(len(options))] }

// text takes up to 15 of the bytes as they are.
func (c *choices) text() string {
	n := min(c.of(16), len(c.data))
	s := string(c.data[:n])
	c.data = c.data[n:]
	return s
}

var keys = []string{"app", "pod-template-hash", "controller-uid", region, v1alpha1.LabelTarget, v1alpha1.LabelElected, corev1.LabelHostname, "disk"}

func (c *choices) selector() *metav1.LabelSelector {
	return &metav1.LabelSelector{
		MatchLabels:      map[string]string{pick(c, keys...): "v"},
		MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "tier", Operator: metav1.LabelSelectorOpExists}},
	}
}

// source makes a pod of anything that a user can write, and of what its API server, admission and scheduler added.
func (c *choices) source() *corev1.Pod {
	pod := jobPod()
	pod.Name = pick(c, "a", "web.v2-0", fmt.Sprintf("%0250d", 7), "a-b.c")
	pod.UID = types.UID(fmt.Sprint("uid-", c.of(200)))
	pod.Namespace = pick(c, "media", fmt.Sprintf("%063d", 1))
	for range c.of(4) {
		pod.Labels[pick(c, keys...)] = pick(c, "v", "", "w")
		pod.Annotations[pick(c, "a", "spillway.dev/x", "b.example.com/c")] = c.text()
	}
	c.containers(pod)
	c.volumes(pod)
	c.placement(pod)
	pod.Spec.HostNetwork = c.of(32) == 31
	pod.Spec.HostPID = c.of(32) == 31
	return pod
}

func (c *choices) containers(pod *corev1.Pod) {
	container := &pod.Spec.Containers[0]
	container.ImagePullPolicy, container.TerminationMessagePolicy = corev1.PullAlways, corev1.TerminationMessageReadFile
	for i := range c.of(5) {
		path := pick(c, "metadata.name", "metadata.uid", "metadata.labels['app']", "metadata.annotations['a']", "spec.nodeName")
		container.Env = append(container.Env, corev1.EnvVar{Name: fmt.Sprint("E", i), ValueFrom: &corev1.EnvVarSource{
			FieldRef: &corev1.ObjectFieldSelector{APIVersion: "v1", FieldPath: path}}})
	}
	if c.yes() {
		name := corev1.LocalObjectReference{Name: pick(c, "cm", fmt.Sprintf("%0253d", 3))}
		container.EnvFrom = []corev1.EnvFromSource{{ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: name}}}
	}
	if c.yes() {
		container.SecurityContext = &corev1.SecurityContext{Privileged: ptr.To(c.of(16) == 15),
			Capabilities: &corev1.Capabilities{Add: []corev1.Capability{pick[corev1.Capability](c, "CHOWN", "KILL", "SYS_ADMIN")}}}
	}
}

func (c *choices) volumes(pod *corev1.Pod) {
	item := func() []corev1.DownwardAPIVolumeFile {
		path := pick(c, "metadata.name", "metadata.labels", "metadata.labels['controller-uid']", "metadata.annotations['spillway.dev/x']")
		return []corev1.DownwardAPIVolumeFile{{Path: "f", FieldRef: &corev1.ObjectFieldSelector{APIVersion: "v1", FieldPath: path}}}
	}
	for i := range c.of(6) {
		volume := corev1.Volume{Name: fmt.Sprint(pick(c, "v", "kube-api-access-"), i)}
		switch c.of(8) {
		case 0:
			volume.EmptyDir = &corev1.EmptyDirVolumeSource{}
		case 1:
			volume.Secret = &corev1.SecretVolumeSource{SecretName: "s", Optional: ptr.To(c.yes())}
		case 2:
			volume.DownwardAPI = &corev1.DownwardAPIVolumeSource{Items: item()}
		case 3:
			volume.Projected = &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{{DownwardAPI: &corev1.DownwardAPIProjection{Items: item()}}}}
		case 4:
			volume.HostPath = &corev1.HostPathVolumeSource{Path: "/", Type: ptr.To(corev1.HostPathUnset)}
		case 5:
			volume.Projected = &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{{
				ServiceAccountToken: &corev1.ServiceAccountTokenProjection{Path: "t", ExpirationSeconds: ptr.To[int64](600)}}}}
		case 6:
			volume.PersistentVolumeClaim = &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "data"}
		case 7:
			volume.CSI = &corev1.CSIVolumeSource{Driver: "x.example.com", NodePublishSecretRef: &corev1.LocalObjectReference{Name: "s"}}
		}
		pod.Spec.Volumes = append(pod.Spec.Volumes, volume)
		pod.Spec.Containers[0].VolumeMounts = append(pod.Spec.Containers[0].VolumeMounts,
			corev1.VolumeMount{Name: volume.Name, MountPath: fmt.Sprint("/m", i)})
	}
}

func (c *choices) placement(pod *corev1.Pod) {
	if c.yes() {
		pod.Spec.NodeSelector[pick(c, keys...)] = pick(c, "uk", "heata", "x")
	}
	if c.yes() {
		constraint := corev1.TopologySpreadConstraint{MaxSkew: 1, TopologyKey: pick(c, keys...),
			WhenUnsatisfiable: corev1.DoNotSchedule, LabelSelector: c.selector()}
		if c.yes() {
			constraint.MatchLabelKeys = []string{pick(c, "pod-template-hash", "team")}
		}
		pod.Spec.TopologySpreadConstraints = []corev1.TopologySpreadConstraint{constraint}
	}
	if c.yes() {
		pod.Spec.Affinity = required(term(in(pick(c, keys...), "uk")), term(in(pick(c, keys...), "uk"), in("disk", "ssd")))
	}
	if c.yes() {
		if pod.Spec.Affinity == nil {
			pod.Spec.Affinity = &corev1.Affinity{}
		}
		pod.Spec.Affinity.PodAntiAffinity = &corev1.PodAntiAffinity{RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{
			{TopologyKey: pick(c, keys...), LabelSelector: c.selector(), Namespaces: []string{"a", "b"},
				MatchLabelKeys: []string{"pod-template-hash"}, MismatchLabelKeys: []string{"controller-uid"}}}}
	}
}

func (c *choices) options() delegate.Options {
	o := heata()
	o.Target.Namespaces = pick(c, v1alpha1.NamespaceMapping{},
		v1alpha1.NamespaceMapping{Mapping: v1alpha1.MappingFixed, Name: "burst"},
		v1alpha1.NamespaceMapping{Mapping: v1alpha1.MappingPrefix, Prefix: "acme-"})
	if c.yes() {
		o.Target.NodeSelector, o.Target.Labels = nil, nil
	}
	return o
}

func FuzzNew(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30})
	f.Add([]byte("a valid pod gives a valid delegate, and never one with the host's files or the source's token in it"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c := &choices{data}
		source, invalid := create(t, c.source())
		options, before := c.options(), source.DeepCopy()

		got, err := delegate.New(source, options)

		require.Empty(t, cmp.Diff(before, source), "the source pod is not changed")
		delegate.ClusterView(source, isClusterKey)
		delegate.References(source)
		require.Empty(t, cmp.Diff(before, source), "nor by looking at it")
		if err != nil {
			require.True(t, delegate.IsRefused(err), err)
			return
		}
		assertClean(t, got)
		if len(invalid) == 0 {
			_, problems := create(t, got)
			require.Empty(t, problems)
		}
		again, err := delegate.New(source, options)
		require.NoError(t, err)
		require.Empty(t, cmp.Diff(got, again), "twice is the same")
	})
}

// assertClean fails when a delegate has something that must not leave its source.
func assertClean(t *testing.T, pod *corev1.Pod) {
	t.Helper()
	for _, volume := range pod.Spec.Volumes {
		require.Nil(t, volume.HostPath)
		require.Nil(t, volume.PersistentVolumeClaim)
		if volume.Projected != nil {
			for _, source := range volume.Projected.Sources {
				require.Nil(t, source.ServiceAccountToken)
			}
		}
	}
	require.False(t, pod.Spec.HostNetwork || pod.Spec.HostPID || pod.Spec.HostIPC)
	require.Empty(t, pod.Spec.NodeName)
	require.Empty(t, pod.Spec.ServiceAccountName)
	require.Empty(t, pod.OwnerReferences)
	require.Empty(t, pod.Finalizers)
	require.NotContains(t, pod.Labels, v1alpha1.LabelElected)
	for _, key := range v1alpha1.ElectAnnotations {
		require.NotContains(t, pod.Annotations, key)
	}
	for _, container := range pod.Spec.Containers {
		require.False(t, container.SecurityContext != nil && ptr.Deref(container.SecurityContext.Privileged, false))
	}
}

// status makes what a hostile target could report.
func (c *choices) status() corev1.PodStatus {
	status := corev1.PodStatus{
		Phase:  pick[corev1.PodPhase](c, corev1.PodRunning, corev1.PodPending, corev1.PodFailed, corev1.PodSucceeded, "x"),
		Reason: c.text(), Message: fmt.Sprintf("%s%0*d", c.text(), c.of(250)*20+1, 7), NominatedNodeName: c.text(),
		HostIP: "10.9.9.9", QOSClass: corev1.PodQOSBestEffort, ObservedGeneration: int64(c.of(4)) - 1,
	}
	for range c.of(4) {
		status.Conditions = append(status.Conditions, corev1.PodCondition{
			Type:   pick(c, corev1.PodReady, corev1.PodScheduled, corev1.DisruptionTarget, "example.com/x", corev1.PodInitialized),
			Status: pick[corev1.ConditionStatus](c, corev1.ConditionTrue, corev1.ConditionFalse, "x"),
			Reason: c.text(), Message: c.text(), LastTransitionTime: pick(c, t0, t1, metav1.Time{}), ObservedGeneration: int64(c.of(4)),
		})
	}
	for range c.of(4) {
		status.PodIPs = append(status.PodIPs, corev1.PodIP{IP: pick(c, "10.0.0.1", "10.0.0.2", "fd00::1", "127.0.0.1", c.text())})
		status.PodIP = status.PodIPs[0].IP
	}
	for range c.of(4) {
		status.ContainerStatuses = append(status.ContainerStatuses, corev1.ContainerStatus{
			Name: pick(c, "main", "stranger"), Image: c.text(), RestartCount: int32(c.of(9)),
			AllocatedResources: corev1.ResourceList{pick[corev1.ResourceName](c, "cpu", "x.example.com/y"): resource.MustParse("3")},
			State: pick(c, corev1.ContainerState{}, corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: t0}},
				corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 1, Message: c.text()}}),
		})
	}
	return status
}

func FuzzStatus(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{0, 3, 'a', 'b', 27, 200, 200, 2, 1, 2, 3, 2, 3, 1, 2, 3, 1, 2, 3, 4, 5, 3, 2, 1, 0, 1, 2, 3})
	f.Fuzz(func(t *testing.T, data []byte) {
		c := &choices{data}
		source, target := boundPod(), runningDelegate(t)
		options := pick(c, isolated, routable)
		// Two statuses one after the other, so that what the first wrote has to be taken back.
		for range 2 {
			target.Status = c.status()
			source = statusRound(t, source, target, options)
		}
		lost := delegate.LostStatus(source, c.text(), c.text(), t1)
		require.Empty(t, updateStatus(t, source, lost))
	})
}

// statusRound mirrors once and returns the source pod as its API server then has it.
func statusRound(t *testing.T, source, target *corev1.Pod, options delegate.StatusOptions) *corev1.Pod {
	t.Helper()
	before := source.DeepCopy()
	want := delegate.Status(source, target, options)
	require.Empty(t, cmp.Diff(before, source))
	require.LessOrEqual(t, len(want.Message), 1<<10)
	require.LessOrEqual(t, len(want.Reason), 128)
	require.Equal(t, source.Status.QOSClass, want.QOSClass)
	require.Empty(t, want.HostIP)
	require.Empty(t, want.NominatedNodeName)
	require.True(t, options.Network == v1alpha1.NetworkRoutable || want.PodIP == "" && want.PodIPs == nil)
	for _, status := range want.ContainerStatuses {
		require.Equal(t, "main", status.Name)
	}
	for _, problem := range updateStatus(t, source, want) {
		// The target says that a container runs again which must not: the API server is right to refuse that.
		require.Contains(t, problem.Detail, "may not be transitioned to non-terminated state")
	}

	patch, differs, err := delegate.StatusPatch(source, want)
	require.NoError(t, err)
	if !differs {
		return source
	}
	require.True(t, json.Valid(patch))
	patched := apply(t, source, patch)
	_, differs, err = delegate.StatusPatch(patched, delegate.Status(patched, target, options))
	require.NoError(t, err)
	require.False(t, differs, "a patch is sent once: %s", patch)
	return patched
}

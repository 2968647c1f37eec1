package delegate_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	podapi "k8s.io/kubernetes/pkg/api/pod"
	"k8s.io/kubernetes/pkg/apis/core"
	"k8s.io/kubernetes/pkg/apis/core/validation"
	"k8s.io/utils/ptr"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
	"github.com/spillway-dev/spillway/pkg/delegate"
)

// sentPair is a source pod and its delegate, as the API servers have stored them.
func sentPair(t testing.TB) (source, sent *corev1.Pod) {
	t.Helper()
	source = boundPod()
	made, err := delegate.New(source, heata())
	require.NoError(t, err)
	sent, problems := create(t, made)
	require.Empty(t, problems)
	sent.UID, sent.Generation, sent.Spec.NodeName = "remote-1", 1, "n7"
	return source, sent
}

func ephemeral(name string, change func(*corev1.EphemeralContainerCommon)) corev1.EphemeralContainer {
	c := corev1.EphemeralContainer{EphemeralContainerCommon: corev1.EphemeralContainerCommon{Name: name, Image: "busybox",
		ImagePullPolicy: corev1.PullIfNotPresent, TerminationMessagePolicy: corev1.TerminationMessageReadFile}, TargetContainerName: "main"}
	if change != nil {
		change(&c.EphemeralContainerCommon)
	}
	return c
}

func adding(capability corev1.Capability) func(*corev1.EphemeralContainerCommon) {
	return func(c *corev1.EphemeralContainerCommon) {
		c.SecurityContext = &corev1.SecurityContext{Capabilities: &corev1.Capabilities{Add: []corev1.Capability{capability}}}
	}
}

// asAWhole gives a pod CPUs that its containers share.
func asAWhole(pod *corev1.Pod, cpus string) {
	pod.Spec.Resources = &corev1.ResourceRequirements{Limits: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(cpus)}}
}

func TestWhatChangesInASourcePodIsSent(t *testing.T) {
	tests := map[string]struct {
		change, meanwhile          func(source, sent *corev1.Pod)
		wantPod, wantResize, wantE string // "" for nothing; the record is left out
		wantRefused                string
	}{
		"nothing": {},
		"what only the source is told is not": {change: func(source, _ *corev1.Pod) {
			source.Annotations[v1alpha1.AnnotationPlacement] = "{}"
			source.Labels["topology.kubernetes.io/zone"] = "z"
			source.Finalizers = nil
			source.Spec.Tolerations = append(source.Spec.Tolerations, corev1.Toleration{Key: v1alpha1.TaintProvider})
		}},
		"a label, and one that moved": {
			change: func(source, _ *corev1.Pod) {
				source.Labels["app"], source.Labels["batch.kubernetes.io/controller-uid"] = "film", "cafe"
			},
			wantPod: `{"metadata":{"labels":{"app":"film","source.spillway.dev/batch.kubernetes.io_controller-uid":"cafe"}}}`,
		},
		"a label and an annotation that are gone": {
			change: func(source, _ *corev1.Pod) {
				delete(source.Labels, "app")
				delete(source.Annotations, "team")
			},
			wantPod: `{"metadata":{"labels":{"app":null},"annotations":{"team":null}}}`,
		},
		"not what the target has added": {
			meanwhile: func(_, sent *corev1.Pod) {
				sent.Labels["mesh"], sent.Annotations["mesh"] = "on", "on"
				sent.Spec.Tolerations = append(sent.Spec.Tolerations, corev1.Toleration{Key: "theirs"})
				sent.Spec.Containers[0].Resources.Requests[corev1.ResourceMemory] = resource.MustParse("1Gi")
			},
		},
		"not what the target has made of it": {
			meanwhile: func(_, sent *corev1.Pod) {
				sent.Labels["app"] = "theirs"
				sent.Spec.Containers[0].Image = "mirror.example.com/render:1"
				sent.Spec.Containers[0].Resources.Requests[corev1.ResourceCPU] = resource.MustParse("3")
			},
		},
		"an image, though the target had another": {
			meanwhile: func(_, sent *corev1.Pod) { sent.Spec.Containers[0].Image = "mirror.example.com/render:1" },
			change:    func(source, _ *corev1.Pod) { source.Spec.Containers[0].Image = "render:2" },
			wantPod:   `{"spec":{"containers":[{"name":"main","image":"render:2"}]}}`,
		},
		"a deadline": {
			change:  func(source, _ *corev1.Pod) { source.Spec.ActiveDeadlineSeconds = ptr.To[int64](9) },
			wantPod: `{"spec":{"activeDeadlineSeconds":9}}`,
		},
		"a toleration": {
			change: func(source, _ *corev1.Pod) {
				source.Spec.Tolerations = append(source.Spec.Tolerations, corev1.Toleration{Key: "spot", Operator: corev1.TolerationOpExists})
			},
			wantPod: `{"spec":{"tolerations":[{"key":"heata","operator":"Exists"},{"key":"spot","operator":"Exists"}]}}`,
		},
		"a resize": {
			change: func(source, _ *corev1.Pod) {
				source.Spec.Containers[0].Resources.Requests[corev1.ResourceCPU] = resource.MustParse("4")
			},
			wantResize: `{"spec":{"containers":[{"name":"main","resources":{"requests":{"cpu":"4"}}}]}}`,
		},
		"a resize of the pod as a whole": {
			meanwhile:  func(source, sent *corev1.Pod) { asAWhole(source, "2"); asAWhole(sent, "2") },
			change:     func(source, _ *corev1.Pod) { asAWhole(source, "4") },
			wantResize: `{"spec":{"resources":{"limits":{"cpu":"4"}}}}`,
		},
		"a debugger": {
			change: func(source, _ *corev1.Pod) {
				source.Spec.EphemeralContainers = []corev1.EphemeralContainer{ephemeral("debug", adding("SYS_PTRACE"))}
			},
			wantE: `{"spec":{"ephemeralContainers":[{"name":"debug","image":"busybox","imagePullPolicy":"IfNotPresent","resources":{},
				"securityContext":{"capabilities":{"add":["SYS_PTRACE"]}},"targetContainerName":"main","terminationMessagePolicy":"File"}]}}`,
		},
		"not a debugger that was sent": {
			change: func(source, sent *corev1.Pod) {
				source.Spec.EphemeralContainers = []corev1.EphemeralContainer{ephemeral("debug", nil)}
				sent.Spec.EphemeralContainers = []corev1.EphemeralContainer{ephemeral("debug", nil)}
			},
		},
		"not one that reaches out of its container": {
			change: func(source, _ *corev1.Pod) {
				source.Spec.EphemeralContainers = []corev1.EphemeralContainer{ephemeral("debug", adding("SYS_ADMIN"))}
			},
			wantRefused: "container debug adds the capability SYS_ADMIN, which reaches out of a container: remove it",
		},
		"a debugger with what it needs, and without the source's token": {
			change: func(source, _ *corev1.Pod) {
				source.Spec.EphemeralContainers = []corev1.EphemeralContainer{ephemeral("debug", func(c *corev1.EphemeralContainerCommon) {
					c.VolumeMounts = []corev1.VolumeMount{tokenMount()}
					c.Env = []corev1.EnvVar{{Name: "POD", ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: "metadata.name"}}}}
					c.EnvFrom = []corev1.EnvFromSource{{ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "tools"}}}}
				})}
			},
			wantE: `{"spec":{"ephemeralContainers":[{"name":"debug","image":"busybox","imagePullPolicy":"IfNotPresent","resources":{},
				"env":[{"name":"POD","value":"render-0-x8vbz"}],"envFrom":[{"configMapRef":{"name":"` + delegate.ShippedName(sourceCluster, "media", "tools") + `"}}],
				"targetContainerName":"main","terminationMessagePolicy":"File"}]}}`,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			source, sent := sentPair(t)
			for _, change := range []func(source, sent *corev1.Pod){tt.meanwhile, tt.change} {
				if change != nil {
					change(source, sent)
				}
			}
			before := source.DeepCopy()

			got, err := delegate.ChangesOf(source, sent, heata())

			require.NoError(t, err)
			assertPatch(t, tt.wantPod, got.Pod)
			assertPatch(t, tt.wantResize, got.Resize)
			assertPatch(t, tt.wantE, got.Ephemeral)
			if tt.wantRefused != "" {
				assert.Equal(t, []string{tt.wantRefused}, got.Refused)
			}
			assert.Equal(t, before, source, "the source pod is not changed")
			expectSettled(t, source, sent, got)
		})
	}
}

// assertPatch compares a patch without the record and the UID that each has.
func assertPatch(t *testing.T, want string, patch []byte) {
	t.Helper()
	if want == "" {
		assert.Empty(t, string(patch))
		return
	}
	var got map[string]any
	require.NoError(t, json.Unmarshal(patch, &got), "there is a patch")
	metadata := got["metadata"].(map[string]any)
	assert.Equal(t, "remote-1", metadata["uid"], "never another pod of that name")
	delete(metadata, "uid")
	if annotations, ok := metadata["annotations"].(map[string]any); ok {
		delete(annotations, v1alpha1.AnnotationSent)
		if len(annotations) == 0 {
			delete(metadata, "annotations")
		}
	}
	if len(metadata) == 0 {
		delete(got, "metadata")
	}
	text, err := json.Marshal(got)
	require.NoError(t, err)
	assert.JSONEq(t, want, string(text))
}

// expectSettled applies the patches as an API server does, which takes them, and finds nothing left to send.
func expectSettled(t *testing.T, source, sent *corev1.Pod, changes delegate.Changes) {
	t.Helper()
	if changes.Pod != nil {
		changed := patched(t, sent, changes.Pod)
		before, after := internalPod(t, sent), internalPod(t, changed)
		before.ResourceVersion, after.ResourceVersion = "1", "1"
		options := podapi.GetValidationOptionsFromPodSpecAndMeta(&after.Spec, &before.Spec, &after.ObjectMeta, &before.ObjectMeta)
		options.ResourceIsPod = true
		for _, pod := range []*core.Pod{before, after} {
			pod.Spec.SecurityContext = &core.PodSecurityContext{}
		}
		assert.Empty(t, validation.ValidatePodUpdate(after, before, options), "an API server takes it")
		sent = changed
	}
	for _, patch := range [][]byte{changes.Resize, changes.Ephemeral} {
		if patch != nil {
			sent = patched(t, sent, patch)
		}
	}
	again, err := delegate.ChangesOf(source, sent, heata())
	require.NoError(t, err)
	assert.Empty(t, string(again.Pod)+string(again.Resize)+string(again.Ephemeral), "once is enough")
}

func patched(t *testing.T, pod *corev1.Pod, patch []byte) *corev1.Pod {
	t.Helper()
	original, err := json.Marshal(pod)
	require.NoError(t, err)
	merged, err := strategicpatch.StrategicMergePatch(original, patch, &corev1.Pod{})
	require.NoError(t, err)
	changed := &corev1.Pod{}
	require.NoError(t, json.Unmarshal(merged, changed))
	return changed
}

func TestAResizeThatIsRefusedWhileTheRestIsTakenIsStillOwed(t *testing.T) {
	for name, record := range map[string]bool{"with a record": true, "without one": false} {
		t.Run(name, func(t *testing.T) {
			source, sent := sentPair(t)
			if !record {
				delete(sent.Annotations, v1alpha1.AnnotationSent)
			}
			source.Spec.Containers[0].Image = "render:2"
			source.Spec.Containers[0].Resources.Requests[corev1.ResourceCPU] = resource.MustParse("4")
			first, err := delegate.ChangesOf(source, sent, heata())
			require.NoError(t, err)

			second, err := delegate.ChangesOf(source, patched(t, sent, first.Pod), heata())

			require.NoError(t, err)
			assert.Empty(t, string(second.Pod))
			assert.Equal(t, string(first.Resize), string(second.Resize))
		})
	}
}

func TestADelegateWithoutARecordIsLeftAloneUntilItsSourceChanges(t *testing.T) {
	source, sent := sentPair(t)
	for name, record := range map[string]string{"an older version's": "", "a target's own": `[1]`} {
		t.Run(name, func(t *testing.T) {
			sent.Annotations[v1alpha1.AnnotationSent] = record

			got, err := delegate.ChangesOf(source, sent, heata())

			require.NoError(t, err)
			assert.Empty(t, string(got.Pod))
		})
	}
}

func TestARecordThatATargetForgedTakesNoMarkAway(t *testing.T) {
	source, sent := sentPair(t)
	source.Labels["app"] = "film"
	sent.Annotations[v1alpha1.AnnotationSent] = `{"labels":["spillway.dev/x"],"digests":{}}`
	sent.Labels["spillway.dev/x"] = "y"

	got, err := delegate.ChangesOf(source, sent, heata())

	require.NoError(t, err)
	assertPatch(t, `{"metadata":{"labels":{"app":"film"}}}`, got.Pod)
}

func TestAGenerationIsTheSourcesOnlyWhileTheDelegateIsWhatTheSourceIs(t *testing.T) {
	tests := map[string]struct {
		change func(source, sent *corev1.Pod)
		want   int64
	}{
		"a change that concerns only the source": {func(*corev1.Pod, *corev1.Pod) {}, 2},
		"an image not sent yet":                  {func(source, _ *corev1.Pod) { source.Spec.Containers[0].Image = "render:2" }, 0},
		"a resize not sent yet": {func(source, _ *corev1.Pod) {
			source.Spec.Containers[0].Resources.Requests[corev1.ResourceCPU] = resource.MustParse("4")
		}, 0},
		"a debugger not sent yet": {func(source, _ *corev1.Pod) {
			source.Spec.EphemeralContainers = []corev1.EphemeralContainer{ephemeral("debug", nil)}
		}, 0},
		"a deletion not passed on yet": {func(source, _ *corev1.Pod) { source.DeletionTimestamp = &t1 }, 0},
		"a deletion that was":          {func(source, sent *corev1.Pod) { source.DeletionTimestamp, sent.DeletionTimestamp = &t1, &t1 }, 2},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			source, sent := boundPod(), runningDelegate(t)
			source.Generation = 2
			tt.change(source, sent)

			got := delegate.Status(source, sent, isolated)

			assert.Equal(t, tt.want, got.ObservedGeneration)
			assert.Equal(t, tt.want, got.Conditions[1].ObservedGeneration)
		})
	}
}

func TestATargetThatTrustsItsSourceTakesDebuggersThatWantItsNodes(t *testing.T) {
	source, sent := sentPair(t)
	source.Spec.EphemeralContainers = []corev1.EphemeralContainer{ephemeral("debug", adding("SYS_ADMIN"))}
	options := heata()
	options.Target.PodSecurity = v1alpha1.PodSecurityPrivileged

	got, err := delegate.ChangesOf(source, sent, options)

	require.NoError(t, err)
	assert.Empty(t, got.Refused)
	assert.Contains(t, string(got.Ephemeral), "SYS_ADMIN")
}

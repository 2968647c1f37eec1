package follow

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
)

func TestEnsureShipsWhatAPodReferences(t *testing.T) {
	labelled := configMap("app", "1")
	labelled.Labels, labelled.Annotations = map[string]string{"owner": "me"}, map[string]string{"note": "private"}
	binary := configMap("app", "1")
	binary.BinaryData = map[string][]byte{"blob": {0, 255}}
	tests := map[string]struct {
		source []runtime.Object
		pod    *corev1.Pod
		want   []runtime.Object
		calls  []string
	}{
		"a pod without references costs no call": {
			source: []runtime.Object{configMap("app", "1")}, pod: pod("p"), calls: []string{},
		},
		"a ConfigMap arrives, without its labels and annotations": {
			source: []runtime.Object{labelled, configMap("other", "2")}, pod: pod("p", usesConfigMap("app", false)),
			want:  []runtime.Object{&corev1.ConfigMap{ObjectMeta: shipped("app"), Data: map[string]string{"key": "1"}}},
			calls: []string{"get", "create"},
		},
		"binary data arrives": {
			source: []runtime.Object{binary}, pod: pod("p", usesConfigMap("app", false)),
			want: []runtime.Object{&corev1.ConfigMap{
				ObjectMeta: shipped("app"), Data: map[string]string{"key": "1"}, BinaryData: map[string][]byte{"blob": {0, 255}},
			}},
			calls: []string{"get", "create"},
		},
		"an immutable ConfigMap stays immutable": {
			source: []runtime.Object{immutable(configMap("app", "1"))}, pod: pod("p", usesConfigMap("app", false)),
			want: []runtime.Object{
				immutable(&corev1.ConfigMap{ObjectMeta: shipped("app"), Data: map[string]string{"key": "1"}}),
			},
			calls: []string{"get", "create"},
		},
		"an image pull secret keeps its type": {
			source: []runtime.Object{secret("registry", corev1.SecretTypeDockerConfigJson)}, pod: pod("p", pullsWith("registry")),
			want: []runtime.Object{&corev1.Secret{
				ObjectMeta: shipped("registry"), Data: map[string][]byte{"key": []byte("value")},
				Type: corev1.SecretTypeDockerConfigJson,
			}},
			calls: []string{"get", "create"},
		},
		"an optional reference that does not exist is passed over": {
			pod: pod("p", usesConfigMap("app", true)), calls: []string{},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			inBubble(t, test.source, func(t *testing.T, f *Follower, _ *fake.Clientset) {
				heata := newTarget("heata")
				require.NoError(t, f.Ensure(t.Context(), heata, targetSpace, test.pod))
				assert.Equal(t, test.calls, heata.calls())
				assert.Empty(t, cmp.Diff(test.want, everything(t, heata), written...))
			})
		})
	}
}

func TestEnsureSaysWhatIsWrong(t *testing.T) {
	foreign := configMap("app", "theirs")
	foreign.ObjectMeta = metav1.ObjectMeta{Namespace: targetSpace, Name: shipped("app").Name}
	tests := map[string]struct {
		source []runtime.Object
		target []runtime.Object
		pod    *corev1.Pod
		is     func(error) bool
		want   string
	}{
		"a missing ConfigMap": {
			pod: pod("p", usesConfigMap("app", false)), is: IsMissing,
			want: "ConfigMap default/app does not exist in the source cluster: create it, or mark the pod's reference to it optional",
		},
		"two missing objects are both named": {
			pod: pod("p", usesConfigMap("app", false), usesSecret("key")), is: IsMissing,
			want: "ConfigMap default/app does not exist in the source cluster: create it, or mark the pod's reference to it optional\n" +
				"Secret default/key does not exist in the source cluster: create it, or mark the pod's reference to it optional",
		},
		"a service account's token": {
			source: []runtime.Object{secret("token", corev1.SecretTypeServiceAccountToken)},
			pod:    pod("p", usesSecret("token")), is: IsRefused,
			want: "Secret default/token has the type kubernetes.io/service-account-token and is never shipped: " +
				"refer to a Secret of another type, or to none",
		},
		"an object of somebody else in the copy's place": {
			source: []runtime.Object{configMap("app", "1")}, target: []runtime.Object{foreign},
			pod: pod("p", usesConfigMap("app", false)), is: IsForeign,
			want: "ConfigMap bursts/" + foreign.Name + " in target heata is not Spillway's copy of ConfigMap default/app " +
				"and is left alone: delete it there",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			inBubble(t, test.source, func(t *testing.T, f *Follower, _ *fake.Clientset) {
				heata := newTarget("heata", test.target...)
				err := f.Ensure(t.Context(), heata, targetSpace, test.pod)
				require.Error(t, err)
				assert.True(t, test.is(err))
				assert.Equal(t, test.want, err.Error())
				assert.NotContains(t, heata.calls(), "create")
				assert.Empty(t, cmp.Diff(test.target, everything(t, heata), written...))
			})
		})
	}
}

func TestEnsureDoesNotWaitForASourceThatRefuses(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, f *Follower, source *fake.Clientset) {
		source.PrependReactor("list", "secrets", func(clienttesting.Action) (bool, runtime.Object, error) {
			return true, nil, apierrors.NewForbidden(schema.GroupResource{Resource: "secrets"}, "key", errors.New("no right"))
		})
		began := time.Now()
		err := f.Ensure(t.Context(), newTarget("heata"), targetSpace, pod("p", usesSecret("key")))
		assert.ErrorContains(t, err, `reading Secret default/key in the source cluster: secrets "key" is forbidden`)
		assert.Zero(t, time.Since(began))
	})
}

func TestEnsureEndsWithItsContext(t *testing.T) {
	inBubble(t, []runtime.Object{configMap("app", "1")}, func(t *testing.T, f *Follower, _ *fake.Clientset) {
		heata := newTarget("heata")
		heata.fails("get", func() error { time.Sleep(10 * time.Second); return nil })
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		err := f.Ensure(ctx, heata, targetSpace, pod("p", usesConfigMap("app", false)))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.ErrorContains(t, err, "waiting for ConfigMap default/app in target heata")
		assert.Equal(t, time.Second, time.Since(began))

		time.Sleep(10 * time.Second)
		assert.Equal(t, map[string]string{"key": "1"}, heata.configMap(t, "app").Data, "others may have waited too")
	})
}

func TestAThousandPodsCostOneWrite(t *testing.T) {
	inBubble(t, []runtime.Object{configMap("app", "1")}, func(t *testing.T, f *Follower, source *fake.Clientset) {
		heata := newTarget("heata")
		heata.fails("create", func() error { time.Sleep(50 * time.Millisecond); return nil })
		var pods sync.WaitGroup
		for i := range 1000 {
			pods.Go(func() {
				assert.NoError(t, f.Ensure(t.Context(), heata, targetSpace, pod(fmt.Sprint(i), usesConfigMap("app", false))))
			})
		}
		pods.Wait()
		assert.Equal(t, []string{"get", "create"}, heata.calls())
		assert.Len(t, source.Actions(), 2, "one list and one watch")
	})
}

func TestTheSourceIsReadByName(t *testing.T) {
	inBubble(t, []runtime.Object{secret("key", "")}, func(t *testing.T, f *Follower, source *fake.Clientset) {
		require.NoError(t, f.Ensure(t.Context(), newTarget("heata"), targetSpace, pod("p", usesSecret("key"))))
		require.NotEmpty(t, source.Actions())
		for _, action := range source.Actions() {
			assert.Equal(t, "default", action.GetNamespace())
			switch a := action.(type) {
			case clienttesting.ListAction:
				assert.Equal(t, "metadata.name=key", a.GetListRestrictions().Fields.String())
			case clienttesting.WatchAction:
				assert.Equal(t, "metadata.name=key", a.GetWatchRestrictions().Fields.String())
			default:
				t.Errorf("unexpected %s", action.GetVerb())
			}
		}
	})
}

func TestARestartCostsOneGetAndNoWrite(t *testing.T) {
	inBubble(t, []runtime.Object{configMap("app", "1")}, func(t *testing.T, before *Follower, source *fake.Clientset) {
		heata := newTarget("heata")
		require.NoError(t, before.Ensure(t.Context(), heata, targetSpace, pod("p", usesConfigMap("app", false))))
		heata.calls()

		after := start(t, source)
		require.NoError(t, after.Ensure(t.Context(), heata, targetSpace, pod("p", usesConfigMap("app", false))))
		require.NoError(t, after.Ensure(t.Context(), heata, targetSpace, pod("q", usesConfigMap("app", false))))
		assert.Equal(t, []string{"get"}, heata.calls())
	})
}

// written compares all but what an API server adds.
var written = cmp.Options{
	cmpopts.IgnoreTypes(metav1.TypeMeta{}),
	cmpopts.IgnoreFields(metav1.ObjectMeta{}, "UID", "ManagedFields"),
	cmpopts.EquateEmpty(),
}

// everything returns the ConfigMaps and Secrets of a target.
func everything(t *testing.T, from *target) []runtime.Object {
	t.Helper()
	configMaps, err := from.CoreV1().ConfigMaps("").List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	secrets, err := from.CoreV1().Secrets("").List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	var all []runtime.Object
	for i := range configMaps.Items {
		all = append(all, &configMaps.Items[i])
	}
	for i := range secrets.Items {
		all = append(all, &secrets.Items[i])
	}
	return all
}

package main

import (
	"context"
	"fmt"
	"net/url"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
)

const (
	singles   = 20
	oneWay    = 50 * time.Millisecond
	roundTrip = 2 * oneWay
)

// Single is how long one pod takes from its creation until it runs, when it is the only one: median, in seconds.
type Single struct {
	Control float64 `json:"controlP50,omitempty"`
	Burst   float64 `json:"burstP50,omitempty"`
	Far     float64 `json:"farP50,omitempty"` // with oneWay added in each direction to the targets' API servers
}

func (b *bench) controlSingle(ctx context.Context) (err error) {
	b.results.Single.Control, err = b.oneByOne(ctx, controlled, controlNamespace)
	return err
}

func (b *bench) burstSingle(ctx context.Context) (err error) {
	b.results.Single.Burst, err = b.oneByOne(ctx, source, burstNamespace)
	return err
}

// farSingle points every Target to a proxy that delays. The Targets stay so: this is the last measurement of a run.
func (b *bench) farSingle(ctx context.Context) error {
	for _, target := range targets {
		p, err := b.moveAway(ctx, target)
		if err != nil {
			return fmt.Errorf("moving target %s away: %w", target, err)
		}
		defer p.close()
		if err := eventually(ctx, "the controller to connect anew", func(context.Context) bool { return p.accepted.Load() > 0 }); err != nil {
			return err
		}
	}
	// A Target's status is from before for a moment; three seconds later it is not.
	if err := sleep(ctx, 3*time.Second); err != nil {
		return err
	}
	if err := b.awaitTargets(ctx); err != nil {
		return err
	}
	var err error
	b.results.Single.Far, err = b.oneByOne(ctx, source, burstNamespace)
	return err
}

// moveAway gives a Target another kubeconfig, whose server is a proxy.
func (b *bench) moveAway(ctx context.Context, target string) (*proxy, error) {
	config, err := clientcmd.LoadFromFile(b.fleet.Kubeconfig(target))
	if err != nil {
		return nil, err
	}
	server, err := url.Parse(b.configs[target].Host)
	if err != nil {
		return nil, err
	}
	p, err := newProxy(server.Host, oneWay)
	if err != nil {
		return nil, err
	}
	for _, cluster := range config.Clusters {
		cluster.Server = "https://" + p.address()
	}
	data, err := clientcmd.Write(*config)
	if err != nil {
		return nil, err
	}
	return p, b.useKubeconfig(ctx, target, data)
}

func (b *bench) useKubeconfig(ctx context.Context, target string, kubeconfig []byte) error {
	object := &v1alpha1.Target{}
	if err := b.spillway.Get(ctx, types.NamespacedName{Name: target}, object); err != nil {
		return err
	}
	ref := object.Spec.KubeconfigSecretRef
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: ref.Namespace, Name: target + "-far"},
		Data:       map[string][]byte{ref.Key: kubeconfig},
	}
	if _, err := b.clients[source].CoreV1().Secrets(ref.Namespace).Create(ctx, secret, metav1.CreateOptions{}); err != nil {
		return err
	}
	ref.Name = secret.Name
	return b.spillway.Update(ctx, object)
}

// oneByOne returns the median; each pod is gone before the next comes.
func (b *bench) oneByOne(ctx context.Context, cluster, namespace string) (float64, error) {
	if err := b.warm(ctx, cluster, namespace); err != nil {
		return 0, err
	}
	w, err := newWave(ctx, b.clients[cluster], namespace)
	if err != nil {
		return 0, err
	}
	defer w.stop()
	for _, name := range podNames("single", singles) {
		if err := w.create(ctx, []string{name}); err != nil {
			return 0, err
		}
		if err := w.delete(ctx, []string{name}); err != nil {
			return 0, err
		}
	}
	each := latencies(w.created, w.running)
	return percentile(each, 50).Seconds(), nil
}

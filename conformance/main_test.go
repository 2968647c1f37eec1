package main

import (
	"io"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/spillway-dev/spillway/conformance/judge"
	"github.com/spillway-dev/spillway/pkg/fleet"
)

func TestAFocusSelectsTests(t *testing.T) {
	const (
		neither = ""
		ci      = "ci and local"
		local   = "local"
	)
	tests := map[string]string{
		"[sig-node] Pods should be updated [Conformance]":                   ci,
		"[sig-node] Pods Extended Pod Container Status":                     ci,
		"[sig-node] Probing container should be restarted":                  ci,
		"[sig-apps] Job should delete a job":                                ci,
		"[sig-apps] CronJob should be able to schedule after more than 100": local,
		"[sig-cli] Kubectl client Kubectl logs":                             local,
		"[sig-storage] Projected downwardAPI should provide podname":        local,
		"[sig-node] PodTemplates should run":                                neither,
		"[sig-network] Services should serve":                               neither,
		"[sig-storage] PersistentVolumes should":                            neither,
	}
	for test, want := range tests {
		var selected string
		switch {
		case regexp.MustCompile(focuses["ci"].tests).MatchString(test):
			selected = ci
		case regexp.MustCompile(focuses["local"].tests).MatchString(test):
			selected = local
		}
		assert.Equal(t, want, selected, test)
	}
	assert.Regexp(t, never, "[sig-apps] Job should wait [Slow]")
	assert.NotRegexp(t, never, "[sig-apps] Job should wait [FeatureGate:JobManagedBy] [Beta]")
}

func TestWrongFlagsAreRefused(t *testing.T) {
	tests := map[string]struct {
		args []string
		want string
	}{
		"an unknown focus":             {[]string{"-focus=all"}, `there is no focus "all": choose ci or local`},
		"no regular expression":        {[]string{"-only=("}, "-only is no regular expression"},
		"nothing at a time":            {[]string{"-procs=0"}, "at least one test must run at a time"},
		"a result of some tests alone": {[]string{"-only=Pods", "-write"}, "-write is for a whole focus"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, _, err := parse(tt.args, io.Discard)

			assert.ErrorContains(t, err, tt.want)
		})
	}
}

func TestTestsAreSelectedByTheirNames(t *testing.T) {
	pattern := regexp.MustCompile(exactly([]string{"runs (once) [Slow]", "ends"}))

	assert.True(t, pattern.MatchString("[sig] runs (once) [Slow]"))
	assert.True(t, pattern.MatchString("ends"))
	assert.False(t, pattern.MatchString("runs once S"))
}

func TestAResultIsPutBetweenItsMarks(t *testing.T) {
	got, err := replaceBetween("a\n<!-- b -->\nold\n<!-- /b -->\nc", "<!-- b -->", "<!-- /b -->", "new\n")
	require.NoError(t, err)
	assert.Equal(t, "a\n<!-- b -->\nnew\n<!-- /b -->\nc", got)

	_, err = replaceBetween("a <!-- b -->", "<!-- b -->", "<!-- /b -->", "new")
	assert.ErrorContains(t, err, "it has no <!-- b --> and <!-- /b -->")
}

func TestTheFilesOfThisFolderAreWellFormed(t *testing.T) {
	_, err := fleet.Parse(fleetConfig)
	assert.NoError(t, err)
	_, err = judge.ParseExceptions(exceptionList)
	assert.NoError(t, err)
}

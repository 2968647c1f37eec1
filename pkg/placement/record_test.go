package placement_test

import (
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
	"github.com/spillway-dev/spillway/pkg/placement"
)

func aRecord(places ...placement.RecordPlace) placement.Record {
	at := metav1.NewTime(time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC))
	return placement.Record{Target: "heata", Node: "spillway-heata", Policy: "batch/night", Mode: v1alpha1.ModeLocalFirst,
		At: at, Places: places}
}

func TestARecordIsCompactAndStable(t *testing.T) {
	heata := place("heata", 0.064, 0.18588, 0.5)
	heata.Estimate.GramsPerKWh = new(120.0)
	encoded, err := aRecord(
		placement.Refused(local(unpriced(place("local", 0, 3, 0))), "2 nodes: Insufficient cpu"),
		placement.Considered(heata, placement.Score{Tier: 1, Cost: 1, Carbon: 1.0 / 3, Capacity: 0.625, Total: 88}),
	).Encode()
	require.NoError(t, err)
	assert.Equal(t, `{"target":"heata","node":"spillway-heata","policy":"batch/night","mode":"LocalFirst",`+
		`"at":"2026-01-31T12:00:00Z","places":[`+
		`{"name":"heata","feasible":true,"costPerHour":"0.064","currency":"GBP","gramsPerHour":"0.1859","gramsPerKWh":"120",`+
		`"scores":{"cost":"1","carbon":"0.3333","capacity":"0.625","total":88},"tier":1},`+
		`{"name":"local","local":true,"feasible":false,"reason":"2 nodes: Insufficient cpu","gramsPerHour":"3"}]}`, encoded)
}

func TestARecordComesBackAsItWent(t *testing.T) {
	want := aRecord(placement.Considered(place("heata", 1, 2, 0.5), placement.Score{Total: 100}))
	encoded, err := want.Encode()
	require.NoError(t, err)
	got, err := placement.Decode(encoded)
	require.NoError(t, err)
	assert.Empty(t, cmp.Diff(want, got))
}

func TestARecordOfManyPlacesKeepsTheWinnerThenTheBestThenTheRefused(t *testing.T) {
	var places []placement.RecordPlace
	for i := range 15 {
		places = append(places, placement.Refused(place(fmt.Sprintf("refused-%02d", i), 1, 1, 0), "no room"))
		places = append(places, placement.Considered(place(fmt.Sprintf("fits-%02d", i), 1, 1, 1), placement.Score{Total: int64(i)}))
	}
	places = append(places, placement.Considered(place("heata", 1, 1, 1), placement.Score{Total: 3}))
	record := aRecord(places...)
	before := record.Places[0].Name
	encoded, err := record.Encode()
	require.NoError(t, err)
	assert.Equal(t, before, record.Places[0].Name, "encoding leaves the record as it is")

	got, err := placement.Decode(encoded)
	require.NoError(t, err)
	require.Len(t, got.Places, 20)
	assert.Equal(t, 11, got.Omitted)
	assert.Equal(t, "heata", got.Places[0].Name)
	assert.Equal(t, "fits-14", got.Places[1].Name)
	assert.Equal(t, "fits-00", got.Places[15].Name)
	assert.Equal(t, "refused-00", got.Places[16].Name)
}

func TestTheLocalPlaceIsTheWinnerWhereNoTargetIsNamed(t *testing.T) {
	record := aRecord(
		placement.Considered(place("heata", 1, 1, 1), placement.Score{Total: 90}),
		placement.Considered(local(place(placement.LocalName, 1, 1, 1)), placement.Score{Total: 40}))
	record.Target = ""
	encoded, err := record.Encode()
	require.NoError(t, err)
	got, err := placement.Decode(encoded)
	require.NoError(t, err)
	assert.Equal(t, placement.LocalName, got.Places[0].Name)
}

func TestLongTextsAreCutBetweenCharacters(t *testing.T) {
	encoded, err := aRecord(placement.Refused(place("heata", 1, 1, 1), strings.Repeat("é", 1000))).Encode()
	require.NoError(t, err)
	got, err := placement.Decode(encoded)
	require.NoError(t, err)
	reason := got.Places[0].Reason
	assert.LessOrEqual(t, len(reason), 300)
	assert.Greater(t, len(reason), 290)
	assert.True(t, utf8.ValidString(reason))
	assert.True(t, strings.HasSuffix(reason, "é…"), reason)
}

func TestDecodeSaysWhatIsWrong(t *testing.T) {
	tests := map[string]struct{ in, want string }{
		"nothing":                 {"", "spillway.dev/placement is not a placement record"},
		"no JSON":                 {"heata", "spillway.dev/placement is not a placement record"},
		"JSON that was cut":       {`{"target":"heata","places":[{"na`, "changed after the pod was bound"},
		"JSON of something else":  {`["heata"]`, "spillway.dev/placement is not a placement record"},
		"a record without places": {`{"target":"heata"}`, "it lists no places"},
		"null":                    {`null`, "it lists no places"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := placement.Decode(test.in)
			assert.ErrorContains(t, err, test.want)
		})
	}
}

func TestDecodeIgnoresWhatANewerVersionAdded(t *testing.T) {
	got, err := placement.Decode(`{"target":"heata","wind":"strong","at":null,"places":[{"name":"heata","sun":true}]}`)
	require.NoError(t, err)
	assert.Equal(t, "heata", got.Places[0].Name)
}

// FuzzDecode holds for any annotation, since users can write it: no panic, and what decodes encodes to something
// bounded that says the same when it is decoded and encoded again.
func FuzzDecode(f *testing.F) {
	f.Add(`{"target":"heata","at":"2026-01-31T12:00:00Z","places":[{"name":"heata","feasible":true,"scores":{"total":3}}]}`)
	f.Add(`{"places":[{"reason":"\ud800<&>"},{}],"omitted":-1}`)
	f.Add(`null`)
	f.Fuzz(func(t *testing.T, s string) {
		record, err := placement.Decode(s)
		if err != nil {
			return
		}
		if year := record.At.UTC().Year(); year < 0 || year > 9999 {
			return // RFC 3339 has no such years, but an offset can lead there
		}
		encoded, err := record.Encode()
		require.NoError(t, err)
		require.Less(t, len(encoded), 64<<10)
		again, err := placement.Decode(encoded)
		require.NoError(t, err)
		reencoded, err := again.Encode()
		require.NoError(t, err)
		require.Equal(t, encoded, reencoded)
	})
}

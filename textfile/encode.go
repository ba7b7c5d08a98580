package textfile

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"slices"
	"strings"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
)

// Encode writes mfs to w in the Prometheus text format. It returns an error, and writes
// nothing, if the textfile collector would refuse the result: if a sample has a
// timestamp, if there are two families with the same name or two series with the same
// labels, or if a family has no series.
func Encode(w io.Writer, mfs []*dto.MetricFamily) error {
	var text bytes.Buffer
	if err := encode(&text, mfs); err != nil {
		return err
	}
	_, err := text.WriteTo(w)
	return err
}

// encode is like Encode, but may have written a part when it returns an error.
func encode(w io.Writer, mfs []*dto.MetricFamily) error {
	names := make(map[string]bool, len(mfs))
	for _, mf := range mfs {
		if mf == nil {
			return errors.New("a metric family is nil")
		}
		name := mf.GetName()
		if names[name] {
			return fmt.Errorf("there are two metric families named %s", name)
		}
		names[name] = true
		if err := checkSeries(mf); err != nil {
			return fmt.Errorf("metric family %s %w", name, err)
		}
		if _, err := expfmt.MetricFamilyToText(w, mf); err != nil {
			return err
		}
	}
	return nil
}

func checkSeries(mf *dto.MetricFamily) error {
	seen := make(map[uint64]*dto.Metric, len(mf.Metric))
	seed := maphash.MakeSeed()
	for _, m := range mf.Metric {
		if m == nil {
			return errors.New("has a series that is nil")
		}
		if m.TimestampMs != nil {
			return errors.New("has a timestamp, which the textfile collector refuses")
		}
		var hash uint64 // does not depend on the order of the labels
		for _, l := range m.Label {
			hash += maphash.Comparable(seed, label{l.GetName(), l.GetValue()})
		}
		if other := seen[hash]; other != nil && slices.Equal(sortedLabels(m), sortedLabels(other)) {
			return errors.New("has two series with the same labels")
		}
		seen[hash] = m
	}
	return nil
}

func sortedLabels(m *dto.Metric) []label {
	var labels []label
	for _, l := range m.Label {
		labels = append(labels, label{l.GetName(), l.GetValue()})
	}
	slices.SortFunc(labels, func(a, b label) int {
		return cmp.Or(strings.Compare(a.name, b.name), strings.Compare(a.value, b.value))
	})
	return labels
}

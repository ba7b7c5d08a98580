package textfile

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// These limit what is read. Anyone may have put the file there, and reading it must take
// neither longer than a second nor more than 64 MiB. The parser compares each label of a
// series with each other label, and needs twenty times the memory of the text.
const (
	maxSize   = 16 << 20
	maxLine   = 16 << 10
	maxLabels = 64
	maxMemory = 36 << 20 // estimated memory of the families
	maxWork   = 6 << 20  // sum over all series of the square of the number of labels
)

// Decode reads metric families in the Prometheus text format. It returns them sorted by
// name.
//
// Decode refuses input that would take a long time or much memory: a line of more than
// 16 KiB, a series with more than 64 labels, and more than some 150,000 series (fewer if
// they have many labels). Series may share equal labels, so do not change labels.
func Decode(r io.Reader) ([]*dto.MetricFamily, error) {
	d := newDecoder()
	if err := d.read(r); err != nil {
		return nil, err
	}
	mfs := slices.Collect(maps.Values(d.families))
	slices.SortFunc(mfs, func(a, b *dto.MetricFamily) int { return strings.Compare(a.GetName(), b.GetName()) })
	return mfs, nil
}

type label struct{ name, value string }

// A decoder parses text part by part, and shares equal labels between the parts. This
// takes much less memory than parsing all of it at once.
type decoder struct {
	parser   expfmt.TextParser
	families map[string]*dto.MetricFamily
	labels   map[label]*dto.LabelPair // each label once
	memory   int                      // estimated memory of families and labels
	work     int
	check    bool // only the error is wanted, so no series is kept

	part  bytes.Buffer
	line  int // number of the last line in part
	first int // number of the line before part
}

// A part is parsed when it has reached partSize, at the next place where it may end. It
// must not end within a histogram or a summary, or between HELP and TYPE.
const (
	partSize    = 64 << 10
	maxPartSize = 512 << 10
)

func newDecoder() *decoder {
	return &decoder{
		parser:   expfmt.NewTextParser(model.LegacyValidation),
		families: make(map[string]*dto.MetricFamily), labels: make(map[label]*dto.LabelPair),
	}
}

func (d *decoder) read(r io.Reader) error {
	lines := bufio.NewReaderSize(r, maxLine)
	parts := true // a part may end within the current family, see partSize
	for {
		line, err := lines.ReadSlice('\n')
		d.line++
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			return fmt.Errorf("line %d is longer than %d KiB", d.line, maxLine>>10)
		case err != nil && err != io.EOF:
			return err
		}
		series := true
		switch text := bytes.TrimLeft(line, " \t"); {
		case len(text) == 0 || text[0] == '\n':
			series = false
		case text[0] == '#':
			series = false
			switch keyword, rest := word(text[1:]); string(keyword) {
			case "HELP":
			case "TYPE":
				_, rest = word(rest)
				kind, _ := word(rest)
				parts = !bytes.EqualFold(kind, []byte("histogram")) && !bytes.EqualFold(kind, []byte("summary"))
			default: // a comment
				line = line[len(bytes.TrimSuffix(line, []byte("\n"))):]
			}
		default:
			labels := countLabels(text)
			if labels > maxLabels {
				return fmt.Errorf("line %d has more than %d labels", d.line, maxLabels)
			}
			d.memory += 210 + 8*labels
			if d.work += labels * labels; d.work > maxWork {
				return fmt.Errorf("line %d: too many series with this many labels", d.line)
			}
		}
		d.part.Write(line)
		if err == io.EOF || d.part.Len() >= partSize && series && parts {
			if err := d.parse(); err != nil {
				return err
			}
		}
		if d.part.Len() > maxPartSize {
			return fmt.Errorf("line %d: a family does not end within %d KiB", d.line, maxPartSize>>10)
		}
		if err == io.EOF {
			return nil
		}
	}
}

// word returns the first word of text, and what follows it.
func word(text []byte) (word, rest []byte) {
	text = bytes.TrimLeft(text, " \t")
	if i := bytes.IndexAny(text, " \t\n"); i >= 0 {
		return text[:i], text[i:]
	}
	return text, nil
}

// countLabels returns an upper bound for the number of labels in a line.
func countLabels(line []byte) int {
	n, quoted := 0, false
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case c == '=' && !quoted:
			n++
		}
	}
	return n
}

// parse parses the current part.
func (d *decoder) parse() error {
	mfs, err := d.parser.TextToMetricFamilies(&d.part)
	if parse, ok := errors.AsType[expfmt.ParseError](err); ok {
		parse.Line += d.first
		return parse
	}
	if err != nil {
		return err
	}
	d.part.Reset()
	d.first = d.line
	for name, mf := range mfs {
		if err := d.add(name, mf); err != nil {
			return err
		}
	}
	return nil
}

// add adds the series that a part has of a family.
func (d *decoder) add(name string, mf *dto.MetricFamily) error {
	known := d.families[name]
	switch {
	case known == nil:
		known = mf
		d.families[name] = mf
		d.memory += 300 + len(name) + len(mf.GetHelp())
	case known.Help != nil && mf.Help != nil:
		return fmt.Errorf("second HELP line for metric name %q", name)
	case mf.GetType() != dto.MetricType_UNTYPED:
		return fmt.Errorf("TYPE of metric name %q reported after samples", name)
	default:
		if known.Help == nil {
			known.Help = mf.Help
		}
		for _, m := range mf.Metric {
			retype(m, known.GetType())
		}
		known.Metric = append(known.Metric, mf.Metric...)
	}
	for _, m := range mf.Metric {
		for i, l := range m.Label {
			m.Label[i] = d.intern(l)
		}
	}
	if d.check {
		known.Metric = nil
		d.memory = 0
		clear(d.labels)
	}
	if d.memory > maxMemory {
		return fmt.Errorf("too many series, or too many different labels: more than %d MiB of them", maxMemory>>20)
	}
	return nil
}

func (d *decoder) intern(l *dto.LabelPair) *dto.LabelPair {
	key := label{l.GetName(), l.GetValue()}
	if known, ok := d.labels[key]; ok {
		return known
	}
	d.labels[key] = l
	d.memory += 300 + len(key.name) + len(key.value)
	return l
}

// retype gives a series the type of its family. The series has none if the TYPE line was
// in an earlier part.
func retype(m *dto.Metric, t dto.MetricType) {
	if m.Untyped == nil {
		return
	}
	switch t {
	case dto.MetricType_GAUGE:
		m.Gauge, m.Untyped = &dto.Gauge{Value: m.Untyped.Value}, nil
	case dto.MetricType_COUNTER:
		m.Counter, m.Untyped = &dto.Counter{Value: m.Untyped.Value}, nil
	}
}

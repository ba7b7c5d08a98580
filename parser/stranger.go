package parser

import (
	"slices"
	"time"
)

// A stranger is a process that has so far printed no line that may be restic's.
type stranger struct {
	line       int // number of its first line
	start, end time.Time
	stream     bool // several programs print under its process ID
}

// strangers remembers only the most recent strangers, because a script can start
// very many programs. When recent is full, it becomes older. The first few need no map.
type strangers struct {
	few           []knownStranger
	recent, older map[origin]stranger
}

type knownStranger struct {
	from origin
	stranger
}

// maxStrangers bounds each of the two maps.
const maxStrangers = 1 << 12

// take returns the stranger o, and removes it; zero if it is new or was forgotten.
func (m *strangers) take(o origin) stranger {
	for i := range m.few {
		if k := m.few[i]; k.from == o {
			m.few = slices.Delete(m.few, i, i+1)
			return k.stranger
		}
	}
	if m.recent == nil {
		return stranger{}
	}
	for _, strangers := range []map[origin]stranger{m.recent, m.older} {
		if s, ok := strangers[o]; ok {
			delete(strangers, o)
			return s
		}
	}
	return stranger{}
}

func (m *strangers) put(o origin, s stranger) {
	if len(m.few) < few {
		m.few = append(m.few, knownStranger{o, s})
		return
	}
	if m.recent == nil || len(m.recent) == maxStrangers {
		m.recent, m.older = make(map[origin]stranger), m.recent
	}
	m.recent[o] = s
}

package parser

import "iter"

// The JSON of a forget can be long, and only the number of its snapshots matters. The
// functions in this file count without decoding. They take valid JSON and return
// slices of it.

// elements iterates over the elements of an array, and over nothing for other values.
func elements(array []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		walk(array, '[', func(_, value []byte) bool { return yield(value) })
	}
}

// members iterates over the members of an object, and over nothing for other values.
// The names are as in the text, without their quotes.
func members(object []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(name, value []byte) bool) { walk(object, '{', yield) }
}

func length(array []byte) (n uint64) {
	walk(array, '[', func(_, _ []byte) bool { n++; return true })
	return n
}

func walk(text []byte, open byte, yield func(name, value []byte) bool) {
	if len(text) == 0 || text[0] != open {
		return
	}
	var name []byte
	depth, start := 0, 1
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"':
			for i++; text[i] != '"'; i++ {
				if text[i] == '\\' {
					i++
				}
			}
		case '[', '{':
			depth++
		case ':':
			if depth == 1 && open == '{' {
				name, start = unspace(text[start:i]), i+1
				name = name[1 : len(name)-1]
			}
		case ',', ']', '}':
			if depth == 1 {
				if value := unspace(text[start:i]); len(value) > 0 && !yield(name, value) {
					return
				}
				start = i + 1
			}
			if text[i] != ',' {
				depth--
			}
		}
	}
}

func unspace(text []byte) []byte {
	for len(text) > 0 && text[0] <= ' ' {
		text = text[1:]
	}
	for len(text) > 0 && text[len(text)-1] <= ' ' {
		text = text[:len(text)-1]
	}
	return text
}

package journal

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestStoreRow(t *testing.T) {
	for line, want := range map[string]map[string]string{
		`{}`:                         {},
		`{"a":"b","_msg":""}`:        {"a": "b", "_msg": ""},
		"{\"a\":\"\xff\xfe\u00e9\"}": {"a": "\xff\xfeé"},
		"{\"a\":\"\xff\\u00e9\\n\\\\\\\"\\ud83d\\ude00 x\"}": {"a": "\xffé\n\\\"😀 x"},
		`{"a\tb":"\/"}`: {"a\tb": "/"},
	} {
		row, err := storeRow(nil).parse([]byte(line))
		assert.NoError(t, err, line)
		got := make(map[string]string)
		for _, f := range row {
			got[string(f.name)] = row.get(string(f.name))
		}
		assert.Equal(t, want, got, line)
	}
	for _, line := range []string{
		``, `{`, `}`, `null`, `[]`, `{"a"}`, `{"a":}`, `{"a":1}`, `{"a":"b"`, `{"a":"b}`, `{"a":"b",}`, `{"a":"b"}}`, `{"a":"b"} `,
		`{"a":"\`, `{"a":"\"}`, `{"a":"\u12"}`, `{"a":"\x"}`, `{,"a":"b"}`, `{"a":"b""c":"d"}`, `cannot read from a storage node`,
	} {
		_, err := storeRow(nil).parse([]byte(line))
		assert.Error(t, err, line)
	}
}

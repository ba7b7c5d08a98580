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
		got, err := storeRow([]byte(line))
		assert.NoError(t, err, line)
		assert.Equal(t, want, got, line)
	}
	for _, line := range []string{
		``, `{`, `}`, `null`, `[]`, `{"a"}`, `{"a":}`, `{"a":1}`, `{"a":"b"`, `{"a":"b}`, `{"a":"b",}`, `{"a":"b"}}`, `{"a":"b"} `,
		`{"a":"\`, `{"a":"\"}`, `{"a":"\u12"}`, `{"a":"\x"}`, `{,"a":"b"}`, `{"a":"b""c":"d"}`, `cannot read from a storage node`,
	} {
		_, err := storeRow([]byte(line))
		assert.Error(t, err, line)
	}
}

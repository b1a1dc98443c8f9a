package digajson_test

import (
	"bytes"
	"math"
	"strings"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/structpb"
)

func TestInteger_InAnyNotation_IsExactOrRefused(t *testing.T) {
	c := compile(t, descriptor("Every"))
	const notAnInteger, outOfRange = "int_type", "int_parsing_size"
	for _, tt := range []struct{ field, text, want, kind string }{
		{"i32", "2147483647", "2147483647", ""}, {"i32", "2147483648", "", outOfRange},
		{"s32", "-2147483648", "-2147483648", ""}, {"sf32", "-2147483649", "", outOfRange},
		{"u32", "4294967295", "4294967295", ""}, {"f32", "4294967296", "", outOfRange}, {"u32", "-1", "", outOfRange},
		{"i64", "9223372036854775807", `"9223372036854775807"`, ""}, {"i64", "9223372036854775808", "", outOfRange},
		{"s64", "-9223372036854775808", `"-9223372036854775808"`, ""}, {"sf64", "-9223372036854775809", "", outOfRange},
		{"u64", "18446744073709551615", `"18446744073709551615"`, ""}, {"f64", "18446744073709551616", "", outOfRange}, {"u64", "-1", "", outOfRange},
		{"i64", "9007199254740993", `"9007199254740993"`, ""},
		{"i64", "1.0", `"1"`, ""}, {"i64", "1e2", `"100"`, ""}, {"i64", "1E+2", `"100"`, ""}, {"i64", "1200e-2", `"12"`, ""},
		{"i64", "-1.50e1", `"-15"`, ""}, {"i64", "9.223372036854775807e18", `"9223372036854775807"`, ""}, {"i64", "9007199254740993.0", `"9007199254740993"`, ""},
		{"i64", "0.00100e3", `"1"`, ""}, {"u64", "1e19", `"10000000000000000000"`, ""}, {"u64", "1e20", "", outOfRange}, {"u64", "1e18446744073709551616", "", outOfRange},
		{"i64", "1.5", "", notAnInteger}, {"i64", "9007199254740992.5", "", notAnInteger}, {"i64", "1.00000000000000000001", "", notAnInteger},
		{"i64", "1e-1", "", notAnInteger}, {"i64", "1e-99999999999999999999", "", notAnInteger}, {"i64", "123e-2", "", notAnInteger},
		{"oi32", "0", "0", ""}, {"oi32", "-0", "0", ""}, {"oi32", "0.0", "0", ""}, {"oi32", "0e999999999999999999999", "0", ""}, {"oi32", "-0.000e-5", "0", ""},
		{"u64", strings.Repeat("9", 100_000), "", outOfRange}, {"i64", "1" + strings.Repeat("0", 100_000) + "e-100000", `"1"`, ""},
	} {
		text := `{"` + tt.field + `":` + tt.text + `}`
		if tt.kind != "" {
			wantRefused(t, c, newEvery(), text, tt.field, tt.kind)
			wantResponse(t, c, newEvery(), text, `{}`, tt.field+": "+tt.kind)
			continue
		}
		wantRead(t, c, newEvery, text, `{"`+tt.field+`":`+tt.want+`}`)
	}
	wantRead(t, c, newEvery, `{"u64":-0}`, `{}`)
}

func TestFloat_KeepsItsValueOrIsRefused(t *testing.T) {
	c := compile(t, descriptor("Every"))
	number := func(name string) func(text string) (float64, error) {
		return func(text string) (float64, error) {
			m := newMessage("Every")
			err := c.UnmarshalRequest([]byte(`{"`+name+`":`+text+`}`), m)
			return m.Get(m.Descriptor().Fields().ByName(protoreflect.Name(name))).Float(), err
		}
	}
	for _, tt := range []struct {
		field, text string
		want        float64
	}{
		{"db", "1.7976931348623157e308", math.MaxFloat64}, {"db", "5e-324", math.SmallestNonzeroFloat64}, {"db", "1e-400", 0},
		{"db", "9007199254740993", 9007199254740992}, {"db", "-0.1", -0.1}, {"db", "1E3", 1000},
		{"fl", "3.4028235e38", math.MaxFloat32}, {"fl", "0.1", float64(float32(0.1))}, {"fl", "16777217", 16777216},
	} {
		if got, err := number(tt.field)(tt.text); err != nil || got != tt.want {
			t.Errorf("%s %s: got %v, %v, want %v", tt.field, tt.text, got, err, tt.want)
		}
	}
	if got, err := number("db")("-0"); err != nil || !math.Signbit(got) {
		t.Errorf("-0: got %v, %v", got, err)
	}
	for _, tt := range []struct{ field, text string }{{"db", "1e309"}, {"db", "-1e309"}, {"fl", "3.5e38"}, {"fl", "-1e39"}, {"fl", "1e999"}} {
		wantRefused(t, c, newEvery(), `{"`+tt.field+`":`+tt.text+`}`, tt.field, "finite_number")
	}
}

func TestStructNumber_IntegerThatADoubleCannotHold_IsRefused(t *testing.T) {
	c := compile(t, descriptor("Every"))
	for text, want := range map[string]string{ // what is written again; empty where it is refused
		"0": "0", "-0": "-0", "1": "1", "-1": "-1", "1.0": "1", "1.5": "1.5", "1e3": "1000", "0.1": "0.1", "-2.5E-3": "-0.0025",
		"9007199254740991": "9007199254740991", "9007199254740992": "9007199254740992", "9007199254740993": "",
		"-9007199254740992": "-9007199254740992", "-9007199254740993": "",
		"9007199254740994": "9007199254740994", "9007199254740995": "", "-9007199254740994": "-9007199254740994", "9007199254740994.0": "9007199254740994",
		"18446744073709551616": "18446744073709551616", "18446744073709551617": "", "-9223372036854775808": "-9223372036854775808",
		"590295810358705651712": "590295810358705651712", "999999999999999868928": "999999999999999868928", "590295810358705700000": "",
		"1e20": "100000000000000000000", "1e21": "1e+21", "-1e21": "-1e+21", "1.5e20": "150000000000000000000",
		"1000000000000000000000": "", "-1000000000000000000000": "", "10000000000000000000000": "", "100000000000000000000000": "",
		"1e23":                         "1e+23", // no integer as it is written
		"1" + strings.Repeat("0", 400): "", "123456789012345678901234567890": "",
		"1e400": "", "-1e400": "", "1e-400": "0", "1e-7": "1e-7", "1.5e-10": "1.5e-10", "1e-6": "0.000001", "1e300": "1e+300", "1e-300": "1e-300",
		"0.30000000000000004": "0.30000000000000004", "5e-324": "5e-324", "1.7976931348623157e308": "1.7976931348623157e+308",
	} {
		m := newMessage("Every")
		err := c.UnmarshalRequest([]byte(`{"st":{"n":`+text+`}}`), m)
		if want == "" {
			kind := "int_not_exact"
			if strings.Contains(text, "e") || len(text) > 300 {
				kind = "finite_number"
			}
			wantError(t, text, err, "st.n", kind)
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		got, err := c.AppendRequest(nil, m)
		wantWritten(t, text, got, err, `{"st":{"n":`+want+`}}`)
	}
}

// The fewest digits that bring a float of 32 bits back are not those of the integer.
func TestWrittenFloat_IntegerUpTo2To53_IsWrittenInFull(t *testing.T) {
	c := compile(t, descriptor("Every"))
	m := newMessage("Every")
	m.Set(m.Descriptor().Fields().ByName("fl"), protoreflect.ValueOfFloat32(1<<53))
	got, err := c.AppendRequest(nil, m)
	wantWritten(t, "2^53", got, err, `{"fl":9007199254740992}`)
}

func TestWrittenNumber_ComesBackAndIsAnIntegerBelow1e21(t *testing.T) {
	c := compile(t, descriptor("Every"))
	for _, n := range []float64{0, 1, -1, 0.1, 1e15, 1<<53 - 1, 1 << 53, 1<<53 + 2, -1 << 53, 1 << 69, math.Nextafter(1e21, 0), 1e21, 1e22, 1e-6, 9.99e-7, math.Pi, math.MaxFloat64, math.SmallestNonzeroFloat64, math.MaxInt64} {
		b, err := c.AppendRequest(nil, with("va", structpb.NewNumberValue(n).ProtoReflect()))
		if err != nil {
			t.Fatal(err)
		}
		m := newMessage("Every")
		if err := c.UnmarshalRequest(b, m); err != nil {
			t.Errorf("%s: %v", b, err)
			continue
		}
		back := m.Get(m.Descriptor().Fields().ByName("va")).Message().Interface().(*structpb.Value).GetNumberValue()
		if back != n {
			t.Errorf("%v comes back from %s as %v", n, b, back)
		}
		if isInteger := !bytes.ContainsAny(b[len(`{"va":`):], ".eE"); isInteger != (n == math.Trunc(n) && math.Abs(n) < 1e21) {
			t.Errorf("%v is written as %s", n, b)
		}
	}
	got, err := c.AppendRequest(nil, with("fl", float32(0.1)))
	wantWritten(t, "float32", got, err, `{"fl":0.1}`)
	got, err = c.AppendRequest(nil, with("fl", float32(math.MaxFloat32)))
	wantWritten(t, "float32", got, err, `{"fl":3.4028235e+38}`)
}

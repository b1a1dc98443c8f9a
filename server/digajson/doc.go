// Package digajson is Diga's JSON dialect: protobuf messages to Diga JSON and
// back, compiled from descriptors.
//
// # Names and values
//
// Keys are the field names of the .proto, in declaration order; the keys of
// maps and of google.protobuf.Struct are sorted. Output is compact. An enum
// value is spelled as its json_value, else as its name without its type's
// prefix. A google.protobuf.Timestamp is RFC 3339 in UTC with only the digits
// needed. 64-bit integers are JSON numbers, bytes are base64 with padding.
// Numbers of a Struct, float and double print as integers while they are
// integral and at most 2^53, and with a point or an exponent otherwise.
//
// # What is not there
//
// A field with presence that is unset, an unspecified enum, and an empty list
// or map count as unset. In a request an unset field is absent. In an answer
// it is null, [] for a list and {} for a map. A scalar without presence always
// has a value and is always written, zero or not. Null on input means unset;
// inside a list or a map it is a value like any other, so only a
// google.protobuf.Value can be one.
//
// A field marked facade_only is in no JSON at all, nor is an excluded one: it
// is never written, and a key of its name is ignored as an unknown key is.
//
// # Strict and lenient
//
// [Codec.UnmarshalRequest] is strict and names the first thing that is wrong.
// [Codec.UnmarshalAnswer] is lenient: what does not fit stays unset and is
// reported as [Drift]. Inside a Struct, which has no fields that could stay
// unset, what does not fit becomes null; in a list or a map the element is
// left out. Both accept nothing that RFC 8259 forbids.
//
// # Flattened oneofs
//
// A message with a flattened oneof has no other field on the wire: it stands
// there as its variant's own object, plus the discriminator, whose value is
// the variant's field name in upper case. The discriminator is written first,
// unless the variant has a field of that name; then that field carries it. An
// answer without a variant is the discriminator alone, null; a request without
// one is refused.
//
// # Update masks
//
// In a message with a facade_only google.protobuf.FieldMask named update_mask
// (AIP-134), reading a request fills the mask with the names of the keys that
// were present, null or not. Writing one with a mask writes just the fields
// that it names: null where the field is unset, and null for an empty list or
// map. The mask "*" names them all. Without a mask, fields that are populated
// are written, so a zero value without presence is not.
package digajson

package apierror

// ReasonInfo explains one of digate's own reasons, for the documentation.
type ReasonInfo struct {
	Reason string
	// Meaning says what happened, and Remedy what to do about it.
	Meaning, Remedy string
	// Forms are the combinations of gRPC code, outcome and REST status that occur with
	// the reason.
	Forms []string
}

// Reasons returns all reasons that digate itself gives.
func Reasons() []ReasonInfo { return reasons }

var reasons = []ReasonInfo{
	{
		ReasonInvalidRequest, "A value of the request is invalid, or the message cannot be decoded.",
		"Correct the fields that `BadRequest` names, in REST the entries of `detail`.",
		[]string{"`INVALID_ARGUMENT`, `NOT_SENT`, 422", "`INVALID_ARGUMENT`, `REJECTED`, Diga's", "`INTERNAL`, `NOT_SENT`, 500"},
	},
	{
		ReasonRequestTooLarge, "The request, its metadata or its preview is too large, or a stream has too many items.",
		"Send less, or ask the operator to raise `--max-request-bytes` or the limit in the message. Send the rest of a stream in another stream.",
		[]string{"`RESOURCE_EXHAUSTED`, `NOT_SENT`, 413"},
	},
	{
		ReasonMissingCredential, "The call has no bearer token, or a malformed one.",
		"Send the metadata `authorization: Bearer TOKEN`, in REST the header.",
		[]string{"`UNAUTHENTICATED`, `NOT_SENT`, 401"},
	},
	{
		ReasonInvalidCredential, "The token or certificate does not belong to a known caller.",
		"Get a token of the issuer and for the audience that the server expects. The server's log says what is wrong with this token.",
		[]string{"`UNAUTHENTICATED`, `NOT_SENT`, 401"},
	},
	{
		ReasonCredentialExpired, "The credential of a stream expired while the stream was open, or now belongs to another caller.",
		"Open the stream again with a new credential. Items without a response were not started.",
		[]string{"`UNAUTHENTICATED`, `NOT_SENT`, 401"},
	},
	{
		ReasonAuthenticationUnavailable, "The server has no keys of the token's issuer yet.",
		"Retry after the delay. If the error persists, the operator should check the URL of the key set.",
		[]string{"`UNAVAILABLE`, `NOT_SENT`, 503, with a delay"},
	},
	{
		ReasonAccountRequired, "The caller may use several accounts, and did not choose one.",
		"Send the metadata `digate-account`, in REST the header `Digate-Account`, with one of the names in the message.",
		[]string{"`INVALID_ARGUMENT`, `NOT_SENT`, 422"},
	},
	{
		ReasonNotAllowed, "The accounts file does not allow this call for the caller.",
		"Ask the operator, who can check the rules with `digate accounts explain`.",
		[]string{"`PERMISSION_DENIED`, `NOT_SENT`, 403"},
	},
	{
		ReasonQuotaExceeded, "A quota of the caller or of the account is used up.",
		"Retry after the delay, when the quota is available again.",
		[]string{"`RESOURCE_EXHAUSTED`, `NOT_SENT`, 429, with a delay"},
	},
	{
		ReasonRouteNotFound, "The REST API has no such path.",
		"Correct the path. `/openapi.json` lists all paths.",
		[]string{"`NOT_FOUND`, `NOT_SENT`, 404"},
	},
	{
		ReasonMethodNotAllowed, "The path does not support this HTTP method.",
		"Use one of the methods in the header `Allow`.",
		[]string{"`UNIMPLEMENTED`, `NOT_SENT`, 405"},
	},
	{
		ReasonTLSRequired, "A plaintext request was sent to a port that uses TLS.",
		"Use `https`.",
		[]string{"REST alone, `NOT_SENT`, 400"},
	},
	{
		ReasonUnknownMethod, "The server does not have the gRPC method.",
		"Correct the name of the method, or update the server if the method is newer.",
		[]string{"`UNIMPLEMENTED`, `NOT_SENT`, 501"},
	},
	{
		ReasonUnsupportedEncoding, "The server does not support the compression of the call's messages.",
		"Use gzip, or no compression.",
		[]string{"`UNIMPLEMENTED`, `NOT_SENT`, 501"},
	},
	{
		ReasonUnsupportedMediaType, "The method does not support this content type over Connect or gRPC-Web.",
		"Use a protocol and a codec that the server supports. Client libraries choose the content type automatically.",
		[]string{"`UNIMPLEMENTED`, `NOT_SENT`, 415"},
	},
	{
		ReasonHTTP2Required, "The method is a bidirectional stream, and the request used HTTP/1.1.",
		"Use HTTP/2. A browser cannot call this method.",
		[]string{"`UNIMPLEMENTED`, `NOT_SENT`, 501"},
	},
	{
		ReasonOverloaded, "The call would have to wait too long, or too many calls are waiting.",
		"Retry after the delay. If the error persists, Diga is slow or the load is too high.",
		[]string{"`UNAVAILABLE`, `NOT_SENT`, 503, with a delay"},
	},
	{
		ReasonTooManyStreams, "Too many open streams of this caller, or of all callers, are waiting for their callers.",
		"Read the open streams to their end, or close them. Then retry.",
		[]string{"`UNAVAILABLE`, `NOT_SENT`, 503, with a delay"},
	},
	{
		ReasonDraining, "The server is about to stop.",
		"Open the stream again, on another server or after the delay. Items without a response were not started.",
		[]string{"`UNAVAILABLE`, `NOT_SENT`, 503, with a delay"},
	},
	{
		ReasonStalled, "The stream was idle for too long.",
		"Read the stream faster. Send a stream of copies again with the same request ids.",
		[]string{"`DEADLINE_EXCEEDED`, `UNKNOWN`, 504"},
	},
	{
		ReasonDeadlineBeforeSend, "The deadline left too little time to send the request.",
		"Call again with a longer deadline.",
		[]string{"`DEADLINE_EXCEEDED`, `NOT_SENT`, 504"},
	},
	{
		ReasonCancelledBeforeSend, "The caller cancelled the call before anything was sent.",
		"Nothing: the caller cancelled.",
		[]string{"`CANCELLED`, `NOT_SENT`, 499"},
	},
	{
		ReasonOutcomeUnknown, "The request was sent, and no conclusive response came back.",
		"Repeat a read. Repeat a write only with the same request id; without one, first check whether it succeeded.",
		[]string{"`CANCELLED`, `UNKNOWN`, 499", "`UNKNOWN`, `UNKNOWN`, 502", "`DEADLINE_EXCEEDED`, `UNKNOWN`, 504", "`ABORTED`, `UNKNOWN`, 409", "`UNAVAILABLE`, `UNKNOWN`, 502", "`UNAVAILABLE`, `UNKNOWN`, 502, with a delay"},
	},
	{
		ReasonAlreadyCreated, "An earlier call with this request id created the resource in the error, which cannot be read now.",
		"Use the id in `integration_ids` or `tool_ids`.",
		[]string{"`ALREADY_EXISTS`, `DONE`, 409"},
	},
	{
		ReasonLedgerUnavailable, "The ledger of request ids is unavailable, so digate cannot know whether the call was made before.",
		"Retry after the delay. If the error persists, the operator should check the database.",
		[]string{"`UNAVAILABLE`, `NOT_SENT`, 503, with a delay"},
	},
	{
		ReasonLedgerShareExceeded, "The caller has used its share of the in-memory ledger of request ids.",
		"Wait until older request ids expire, or ask the operator to keep the ledger in a database.",
		[]string{"`RESOURCE_EXHAUSTED`, `NOT_SENT`, 429, with a delay"},
	},
	{
		ReasonAuditUnavailable, "The audit log cannot be written, and the server sends no write without an audit line.",
		"Retry after the delay. If the error persists, the operator should check the file of the audit log.",
		[]string{"`UNAVAILABLE`, `NOT_SENT`, 503, with a delay"},
	},
	{
		ReasonNoRecord, "The ledger has no record of a call with this request id. The call may still have been made.",
		"Check the request id and the account. A record expires after `--ledger-retention`.",
		[]string{"`NOT_FOUND`, `NOT_APPLICABLE`, 404"},
	},
	{
		ReasonNotResolvable, "The call is not in doubt, or cannot have the stated outcome.",
		"Check the record with `digate ledger show`.",
		[]string{"`FAILED_PRECONDITION`, `NOT_APPLICABLE`, 412"},
	},
	{
		ReasonUnreachable, "digate could not connect to Diga.",
		"Retry after the delay. If the error persists, the operator should run `digate doctor`.",
		[]string{"`UNAVAILABLE`, `NOT_SENT`, 503, with a delay"},
	},
	{
		ReasonCircuitOpen, "The circuit breaker is open because Diga failed too often.",
		"Retry after the delay.",
		[]string{"`UNAVAILABLE`, `NOT_SENT`, 503, with a delay"},
	},
	{
		ReasonRateLimited, "Diga refused the call because there were too many, and returned no error code.",
		"Retry after the delay.",
		[]string{"`RESOURCE_EXHAUSTED`, `REJECTED`, Diga's, with a delay"},
	},
	{
		ReasonResponseTooLarge, "The response of a read is too large for a gRPC caller.",
		"Request a smaller page, or use REST.",
		[]string{"`RESOURCE_EXHAUSTED`, `DONE`, 429"},
	},
	{
		ReasonInvalidResponse, "Diga's response cannot be decoded, or deviates from its contract.",
		"Repeat a read once. If the error persists, report it to the operator: Diga's contract may have changed.",
		[]string{"`UNKNOWN`, `UNKNOWN`, 502"},
	},
	{
		ReasonUpstreamError, "Diga failed internally.",
		"A write may have been done. Check the outcome.",
		[]string{"`INTERNAL`, `UNKNOWN`, Diga's"},
	},
	{
		ReasonGateway, "A proxy in front of Diga failed, or the template of a copy could not be read because of that.",
		"Check the outcome.",
		[]string{"`UNKNOWN`, `UNKNOWN`, Diga's", "`UNAVAILABLE`, `NOT_SENT`, 503, with a delay", "`UNAVAILABLE`, `UNKNOWN`, Diga's, with a delay"},
	},
	{
		ReasonUnexpected, "Diga refused the call, and returned no error code.",
		"The status says what kind of refusal it is. Diga refuses the request again until something changes.",
		[]string{"`UNKNOWN`, `UNKNOWN`, 502", "`UNKNOWN`, `UNKNOWN`, Diga's", "`NOT_FOUND`, `REJECTED`, Diga's", "`ALREADY_EXISTS`, `REJECTED`, Diga's", "`PERMISSION_DENIED`, `REJECTED`, Diga's", "`FAILED_PRECONDITION`, `REJECTED`, Diga's", "`INTERNAL`, `REJECTED`, 502", "`UNAVAILABLE`, `REJECTED`, Diga's, with a delay", "`UNAUTHENTICATED`, `REJECTED`, Diga's"},
	},
	{
		ReasonInternalError, "digate has an internal error.",
		"Report it with the `x-request-id` of the call, with which the operator finds the cause in the log.",
		[]string{"`INTERNAL`, `NOT_SENT`, 500", "`INTERNAL`, `UNKNOWN`, 500"},
	},
}

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
		ReasonInvalidRequest, "A value of the request is refused, or the message cannot be read.",
		"Correct the fields that `BadRequest` names, in REST the entries of `detail`.",
		[]string{"`INVALID_ARGUMENT`, `NOT_SENT`, 422", "`INVALID_ARGUMENT`, `REJECTED`, Diga's", "`INTERNAL`, `NOT_SENT`, 500"},
	},
	{
		ReasonRequestTooLarge, "The request, its metadata or its preview is larger than digate takes, or a stream has too many items.",
		"Send less, or have `--max-request-bytes` or the bound that the message names raised. Of a stream, send the rest in another one.",
		[]string{"`RESOURCE_EXHAUSTED`, `NOT_SENT`, 413"},
	},
	{
		ReasonMissingCredential, "The call has no bearer token, or one that is not well-formed.",
		"Send the metadata `authorization: Bearer TOKEN`, in REST the header.",
		[]string{"`UNAUTHENTICATED`, `NOT_SENT`, 401"},
	},
	{
		ReasonInvalidCredential, "The token or the certificate proves no caller that the server knows.",
		"Get a token of the issuer and the audience that the server expects. The server's log says what was wrong with this one.",
		[]string{"`UNAUTHENTICATED`, `NOT_SENT`, 401"},
	},
	{
		ReasonCredentialExpired, "The credential of a stream ended while the stream was open, or is another caller's now.",
		"Open the stream again with a new credential. Items without a response were not begun.",
		[]string{"`UNAUTHENTICATED`, `NOT_SENT`, 401"},
	},
	{
		ReasonAuthenticationUnavailable, "The server has no keys of the token's issuer yet.",
		"Try again after the delay. If it lasts, the operator looks at the address of the key set.",
		[]string{"`UNAVAILABLE`, `NOT_SENT`, 503, with a delay"},
	},
	{
		ReasonAccountRequired, "The caller may use several accounts, and named none.",
		"Send the metadata `digate-account`, in REST the header `Digate-Account`, with one of the names in the message.",
		[]string{"`INVALID_ARGUMENT`, `NOT_SENT`, 422"},
	},
	{
		ReasonNotAllowed, "The file of accounts does not allow the call to its caller.",
		"Ask the operator, who sees the rule with `digate accounts explain`.",
		[]string{"`PERMISSION_DENIED`, `NOT_SENT`, 403"},
	},
	{
		ReasonQuotaExceeded, "A quota of the caller or of the account is used up.",
		"Try again after the delay, which is when the quota has room.",
		[]string{"`RESOURCE_EXHAUSTED`, `NOT_SENT`, 429, with a delay"},
	},
	{
		ReasonRouteNotFound, "There is no such path on the REST side.",
		"Correct the path. `/openapi.json` lists them.",
		[]string{"`NOT_FOUND`, `NOT_SENT`, 404"},
	},
	{
		ReasonMethodNotAllowed, "The path does not have this HTTP method.",
		"Use one of the methods in the header `Allow`.",
		[]string{"`UNIMPLEMENTED`, `NOT_SENT`, 405"},
	},
	{
		ReasonTLSRequired, "A request in plain text came to a port that speaks TLS.",
		"Use `https`.",
		[]string{"REST alone, `NOT_SENT`, 400"},
	},
	{
		ReasonUnknownMethod, "The server does not have the gRPC method.",
		"Correct the name of the method, or update the server if the method is newer than it.",
		[]string{"`UNIMPLEMENTED`, `NOT_SENT`, 501"},
	},
	{
		ReasonUnsupportedEncoding, "The messages of the call are compressed in a way that the server does not know.",
		"Use gzip, or no compression.",
		[]string{"`UNIMPLEMENTED`, `NOT_SENT`, 501"},
	},
	{
		ReasonUnsupportedMediaType, "The method does not take requests of this content type over Connect or gRPC-Web.",
		"Use a protocol and a codec that the server speaks. Client libraries choose the content type by themselves.",
		[]string{"`UNIMPLEMENTED`, `NOT_SENT`, 415"},
	},
	{
		ReasonHTTP2Required, "Both sides of the method stream, and the request came over HTTP/1.1.",
		"Use HTTP/2. A browser cannot call this method.",
		[]string{"`UNIMPLEMENTED`, `NOT_SENT`, 501"},
	},
	{
		ReasonOverloaded, "The call would wait too long for those before it, or too many wait.",
		"Try again after the delay. If it lasts, Diga is slow or the load is too high.",
		[]string{"`UNAVAILABLE`, `NOT_SENT`, 503, with a delay"},
	},
	{
		ReasonTooManyStreams, "Too many streams wait for their callers, those of this caller or of all.",
		"Read the open streams to their end, or close them. Then try again.",
		[]string{"`UNAVAILABLE`, `NOT_SENT`, 503, with a delay"},
	},
	{
		ReasonDraining, "The server is about to stop.",
		"Open the stream again, at another server or after the delay. Items without a response were not begun.",
		[]string{"`UNAVAILABLE`, `NOT_SENT`, 503, with a delay"},
	},
	{
		ReasonStalled, "Nothing moved on the stream for too long.",
		"Read the stream faster. A stream of copies is sent again under the same request ids.",
		[]string{"`DEADLINE_EXCEEDED`, `UNKNOWN`, 504"},
	},
	{
		ReasonDeadlineBeforeSend, "The deadline left no time to begin.",
		"Call again with more time.",
		[]string{"`DEADLINE_EXCEEDED`, `NOT_SENT`, 504"},
	},
	{
		ReasonCancelledBeforeSend, "The caller cancelled the call before anything was sent.",
		"Nothing: the caller wanted it.",
		[]string{"`CANCELLED`, `NOT_SENT`, 499"},
	},
	{
		ReasonOutcomeUnknown, "The request was sent, and no verdict came back.",
		"Repeat a read. Repeat a write only under the same request id; without one, look first at what is there.",
		[]string{"`CANCELLED`, `UNKNOWN`, 499", "`UNKNOWN`, `UNKNOWN`, 502", "`DEADLINE_EXCEEDED`, `UNKNOWN`, 504", "`ABORTED`, `UNKNOWN`, 409", "`UNAVAILABLE`, `UNKNOWN`, 502", "`UNAVAILABLE`, `UNKNOWN`, 502, with a delay"},
	},
	{
		ReasonAlreadyCreated, "An earlier call with the request id created what the error names, and that cannot be read now.",
		"Use the id in `integration_ids` or `tool_ids`.",
		[]string{"`ALREADY_EXISTS`, `DONE`, 409"},
	},
	{
		ReasonLedgerUnavailable, "The ledger of request ids cannot be used, so nobody can say whether the call was made before.",
		"Try again after the delay. If it lasts, the operator looks at the database.",
		[]string{"`UNAVAILABLE`, `NOT_SENT`, 503, with a delay"},
	},
	{
		ReasonLedgerShareExceeded, "The ledger in memory holds as many request ids of the caller as it may.",
		"Wait until older ones are forgotten, or have the operator keep the ledger in a database.",
		[]string{"`RESOURCE_EXHAUSTED`, `NOT_SENT`, 429, with a delay"},
	},
	{
		ReasonAuditUnavailable, "The audit log cannot be written, and the server sends no write without it.",
		"Try again after the delay. If it lasts, the operator looks at the file of the audit log.",
		[]string{"`UNAVAILABLE`, `NOT_SENT`, 503, with a delay"},
	},
	{
		ReasonNoRecord, "The ledger has no record of a call with this request id. The call may have been made all the same.",
		"Check the request id and the account. A record is forgotten after `--ledger-retention`.",
		[]string{"`NOT_FOUND`, `NOT_APPLICABLE`, 404"},
	},
	{
		ReasonNotResolvable, "The call is not in doubt, or cannot have had the outcome that was stated.",
		"Look at the record with `digate ledger show`.",
		[]string{"`FAILED_PRECONDITION`, `NOT_APPLICABLE`, 412"},
	},
	{
		ReasonUnreachable, "No connection to Diga was made.",
		"Try again after the delay. If it lasts, the operator runs `digate doctor`.",
		[]string{"`UNAVAILABLE`, `NOT_SENT`, 503, with a delay"},
	},
	{
		ReasonCircuitOpen, "Diga failed so often that it is left alone for a while.",
		"Try again after the delay.",
		[]string{"`UNAVAILABLE`, `NOT_SENT`, 503, with a delay"},
	},
	{
		ReasonRateLimited, "Diga refused the call because there were too many, and gave no error code.",
		"Try again after the delay.",
		[]string{"`RESOURCE_EXHAUSTED`, `REJECTED`, Diga's, with a delay"},
	},
	{
		ReasonResponseTooLarge, "The response of a read is larger than a gRPC caller gets.",
		"Ask for a smaller page, or over REST.",
		[]string{"`RESOURCE_EXHAUSTED`, `DONE`, 429"},
	},
	{
		ReasonInvalidResponse, "Diga's response cannot be read, or departs from its contract.",
		"Repeat a read once. If it lasts, report it to the operator: Diga's contract may have changed.",
		[]string{"`UNKNOWN`, `UNKNOWN`, 502"},
	},
	{
		ReasonUpstreamError, "Diga failed internally.",
		"A write may have been done. See what the outcome says.",
		[]string{"`INTERNAL`, `UNKNOWN`, Diga's"},
	},
	{
		ReasonGateway, "Something in front of Diga failed, or the template of a copy could not be read because of it.",
		"See what the outcome says.",
		[]string{"`UNKNOWN`, `UNKNOWN`, Diga's", "`UNAVAILABLE`, `NOT_SENT`, 503, with a delay", "`UNAVAILABLE`, `UNKNOWN`, Diga's, with a delay"},
	},
	{
		ReasonUnexpected, "Diga refused the call, and gave no error code.",
		"The status says what kind of refusal it is. The request is refused again until something changes.",
		[]string{"`UNKNOWN`, `UNKNOWN`, 502", "`UNKNOWN`, `UNKNOWN`, Diga's", "`NOT_FOUND`, `REJECTED`, Diga's", "`ALREADY_EXISTS`, `REJECTED`, Diga's", "`PERMISSION_DENIED`, `REJECTED`, Diga's", "`FAILED_PRECONDITION`, `REJECTED`, Diga's", "`INTERNAL`, `REJECTED`, 502", "`UNAVAILABLE`, `REJECTED`, Diga's, with a delay", "`UNAUTHENTICATED`, `REJECTED`, Diga's"},
	},
	{
		ReasonInternalError, "digate has a fault.",
		"Report it with the `x-request-id` of the call: the log has the cause under it.",
		[]string{"`INTERNAL`, `NOT_SENT`, 500", "`INTERNAL`, `UNKNOWN`, 500"},
	},
}

package bulk

import (
	"context"
	"slices"

	digatev1 "github.com/digate/digate/gen/digate/v1"
	"github.com/digate/digate/server/apierror"
)

// known returns the result of a row that is not sent, because of what the job
// knows of it, or nil.
func (r *runner) known(next *row) *rowResult {
	e := r.job.find(next.copy.GetRequestId())
	if next.err != nil || e == nil && !r.planned {
		return nil
	}
	res := resultOf(next)
	if e == nil {
		res.Outcome, res.Code, res.Reason = rowNotSent, "ABORTED", reasonChanged
		res.Message = "the file was changed while it was read: run again"
		return &res
	}
	if next.lacks == "" {
		next.lacks = r.lacking[e]
	}
	if next.lacks != "" {
		res.Outcome, res.Code, res.Reason, res.Missing = rowNotSent, "FAILED_PRECONDITION", reasonUnfinished, next.lacks
		res.Message = "its copy would lack: " + next.lacks + "; --unfinished=allow makes it"
		return &res
	}
	if e.state == rowHeld {
		res.Outcome, res.Code, res.Reason = rowNotSent, "ALREADY_EXISTS", reasonExisting
		res.Message = "Diga has an integration of this name already (" + e.made + "); --existing=skip leaves it so, --existing=copy makes another"
		return &res
	}
	if e.state != rowMade && e.state != rowThere && r.job.makesItself(e) {
		return nil
	}
	res = r.job.fate(e)
	return &res
}

// earlier returns the promise under which an earlier run may have sent a row, or
// nil.
func (r *runner) earlier(next *row) *promise {
	if e := r.job.find(next.copy.GetRequestId()); e != nil {
		return r.job.sentBefore(e)
	}
	return nil
}

// refuse reports a row that this run does not send.
func (r *runner) refuse(next *row, res rowResult) {
	r.record(res, sends(0, r.earlier(next)))
	r.report.result(res)
}

// sends returns how often a row may have been sent: so often by this run, and by
// earlier ones.
func sends(byThis int, earlier *promise) int {
	if earlier != nil {
		return byThis + 2
	}
	return byThis
}

// record lets the job know what became of a row that may have been sent so often.
// That an attempt did nothing says nothing of another attempt, which only the
// ledger knows.
func (r *runner) record(res rowResult, sends int) {
	e := r.job.find(res.RequestID)
	if e == nil || e.isMade() {
		return
	}
	line := jobLine{Row: e.id}
	switch {
	case res.Outcome == rowDone, res.Outcome == rowReplayed:
		line.State, line.Made, line.Missing, line.now = lineMade, res.IntegrationID, res.Missing, res.Outcome == rowDone
	case res.Outcome == rowRejected && sends <= 1, res.Outcome == rowNotSent && sends == 0:
		line.State = lineNone
	case res.Outcome == rowUnknown && !res.mayEnd():
		line.State = lineDoubt
	default:
		return
	}
	r.job.record(line)
}

// isReused reports whether a response says that the request id was used for
// another request. That says nothing of what the id made.
func isReused(e *apierror.Error) bool {
	return slices.ContainsFunc(e.Violations, func(v apierror.Violation) bool { return v.Reason == "REQUEST_ID_REUSED" })
}

// foundReused settles an item that an earlier run sent with another secret: the
// ledger knows what was made of it.
func (r *runner) foundReused(ctx context.Context, it *item) {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	resp, err := r.conn.records.GetCopy(ctx, &digatev1.GetCopyRequest{RequestId: it.row.copy.GetRequestId()})
	r.settle(it, func(res *rowResult) {
		if err == nil && resp.GetCopy().GetState() == digatev1.Copy_STATE_DONE {
			res.Outcome, res.IntegrationID = rowReplayed, resp.GetCopy().GetIntegrationId()
			res.Message = "made by an earlier run, from another value of a secret"
			return
		}
		res.Outcome, res.Code, res.Reason = rowUnknown, "ABORTED", reasonOtherSecret
		res.Message = "an earlier run sent it with another value of a secret, and it may have been made"
	})
}

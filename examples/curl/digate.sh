# shellcheck shell=bash
# What became of a REST call of digate that failed, and a copy that is made once.
# Source this file from a script of bash. It needs curl and nothing else.
#
# digate_url is digate's REST side, digate_token the bearer token, and digate_options
# are the options of every call of curl. digate_header is the file with the header of
# the last response, by which the functions below know what it was.

digate_url=http://127.0.0.1:8080
digate_token=
digate_options=()
digate_header=$(mktemp)
trap 'rm -f "$digate_header"' EXIT

# digate METHOD PATH [OPTION...] calls digate and prints the response's body. It fails
# if the call does.
digate() {
  local method=$1 path=$2
  shift 2
  : >"$digate_header"
  # The token is read from a pipe: everybody sees the options of a command.
  curl --silent --fail-with-body --request "$method" --dump-header "$digate_header" \
    --header @<(credential) "${digate_options[@]}" "$@" "$digate_url$path"
}

credential() { [ -z "$digate_token" ] || printf 'Authorization: Bearer %s\n' "$digate_token"; }

# outcome prints what happened on Diga's side when the last call failed: NOT_SENT,
# REJECTED, DONE or UNKNOWN. A failure without an outcome does not come from digate:
# the connection was lost, or a proxy failed the call. It counts as UNKNOWN.
outcome() {
  local found
  found=$(header digate-outcome)
  echo "${found:-UNKNOWN}"
}

# retry_delay prints after how many seconds to try the last call again, and nothing if
# digate named no time.
retry_delay() { header retry-after; }

# status prints the status of the last response, and nothing if there was none.
status() { awk '/^HTTP\// { status = $2 } END { print status }' "$digate_header"; }

# header NAME prints a value of the last response's header. The file may have responses
# before it, to tries that curl repeated.
header() {
  tr -d '\r' <"$digate_header" | awk -v name="$1:" '/^HTTP\// { value = "" } tolower($1) == name { value = $2 } END { print value }'
}

# copy_once TEMPLATE REQUEST_ID COPY SECONDS makes one integration, however often the
# request has to be sent, and prints it.
#
# Store the request id with your own record of the job before the first call, so that
# the job can be repeated after a crash too. While there is time, the call is repeated
# if digate names a delay, or if the result was lost. If copy_once fails, outcome says
# what happened: UNKNOWN then means that a person has to look.
copy_once() {
  local template=$1 id=${2:?"a copy without a request id must not be repeated"} copy=$3 end=$((SECONDS + $4))
  local pause=1 delay left integration
  while true; do
    left=$((end - SECONDS))
    # digate gives up first, and says what it knows.
    if integration=$(digate POST "/v1/integration/template/$template/copy" --data @- --header "Idempotency-Key: $id" \
      --header "Digate-Timeout: $left" --max-time $((left + 1)) <<<"$copy"); then
      echo "$integration"
      return
    fi
    delay=$(retry_delay)
    # 409 is digate's own UNKNOWN: an earlier call with this id was sent.
    if [ -z "$delay" ] && [ "$(outcome)" = UNKNOWN ] && [ "$(status)" != 409 ]; then
      delay=$pause pause=$((pause * 2))
    fi
    if [ -z "$delay" ] || ((SECONDS + delay >= end)); then
      return 1
    fi
    sleep "$delay"
  done
}

package server_test

import (
	"reflect"
	"runtime"
	"strings"
	"testing"
)

// What holds without TLS holds over it: these tests run once more, with servers that
// speak TLS. They are those that depend on what a connection does.
func TestTLS(t *testing.T) {
	for _, test := range []func(*testing.T){
		TestStrangers_StreamsThatAreOpenedAndLeft_LeaveRoomForOthers,
		TestStrangers_ConnectionThatResetsItsCalls_IsClosed,
		TestStrangers_ConnectionThatFinishesAsManyAsItResets_IsKept,
		TestStrangers_ConnectionThatHoldsBackTheEndOfMuch_IsClosed,

		TestHostileUpstream_ResponseWithoutEnd_IsBounded,
		TestHostileClient_RequestTooLarge_IsRefusedAndNotSent,
		TestHostileClient_PathTricks_NeverReachDiga,
		TestHostileClient_WithoutAValidCredential_IsRefusedBeforeAnythingIsDecoded,
		TestREST_HeadersThatAreNotOnTheAllowList_DoNotPass,
		TestREST_MethodThatTheRouteDoesNotHave_Is405WithAllow,

		TestGRPC_MessageThatCannotBeReceived_HasAVerdictALineAndAMetric,
		TestGRPC_MessageOfAStreamThatCannotBeReceived_HasAVerdict,
		TestGRPC_RefusedCallWithALaterDeadline_HasTheSameVerdictAndALine,
		TestGRPC_UnknownMethodOrService_HasAVerdictAndALine,
		TestGRPC_DeadlineThatIsOver_HasAVerdictAndALine,
		TestGRPC_MetadataTooLarge_EndsTheCallAlone,
		TestGRPC_RequestsBeyondTheMemory_AreRefusedUntilOthersEnd,
		TestGRPC_MalformedHeader_HasAVerdictALineAndAMetric,
		TestGRPC_EncodingOfWhichNothingIsKnown_HasAVerdictALineAndAMetric,
		TestEncoding_ThatCannotBeRead_IsRefusedWithAVerdict,
		TestGzip_UnaryAndStream_AreTakenAndReturned,

		TestGRPC_ClientThatPingsEveryTwoSeconds_GetsItsVerdict,
		TestGRPC_ClientThatPingsWithoutEnd_LosesItsConnection,
		TestHealthAndOpenReflection_NeedNoCredential,

		TestBounds_MetadataAndHeaderBeyondTheFlag_AreRefused,
		TestBounds_CallsOnOneConnectionBeyondTheFlag_AreRefused,
		TestBounds_GRPCCallerThatNeverSendsItsMessage_IsCutOff,
		TestBounds_RESTCallerThatNeverEndsItsRequest_IsCutOff,
		TestBounds_RESTConnectionWithoutARequest_IsClosedAfter5s,
		TestBounds_CallerThatDoesNotRead_IsCutOff,

		TestREST_ClientThatReadsOnlyWhenAllIsSent_HearsTheRefusal,
		TestREST_RefusedClientThatSendsWithoutEnd_IsCut,
		TestREST_LengthThatIsTooLarge_IsRefusedBeforeTheBodyIsSent,
		TestREST_OptionsOfEverything_HasALine,
		TestREST_HTTP2_HasTheBoundsOfHTTP1,
		TestREST_HTTP2Draining_CallsUnderWayGetTheirResponse,
		TestREST_CORS_IsForTheListedOriginsAlone,
		TestREST_WholeLifeOfAnIntegration_RespondsAsDigaDoes,
		TestCopyTemplate_DigasResponse_IsRelayedInRESTAndReadInGRPC,
		TestCopyTemplate_DigasError_IsRelayedInREST,
		TestOutcomes_DeadlineAndCancelOfTheCaller_EndTheConnectionToDiga,
		TestStreams_WholeListsOnBothProtocols,
		TestBulk_ClientThatDoesNotRead_StopsTheCopying,
		TestBulk_ClientLeaves_FinishesWhatWasSentAndBeginsNothingMore,
		TestBulk_ServerStops_FinishesWhatWasBegunAndBeginsNothingMore,

		TestRun_CallsUnderWayAtTheEnd_AreFinished,
		TestRun_SlowRESTClient_DoesNotKeepGRPCFromDraining,
		TestRun_IdleReflectionStream_DoesNotHoldTheDrainUp,
		TestRun_CallsOutlastTheShutdownTimeout_AreCut,
	} {
		name := runtime.FuncForPC(reflect.ValueOf(test).Pointer()).Name()
		t.Run(name[strings.LastIndex(name, ".Test")+len(".Test"):], test)
	}
}

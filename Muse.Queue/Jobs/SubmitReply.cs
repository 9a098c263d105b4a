namespace Muse.Queue;

/// <summary>The words with which the script <c>submit.lua</c> replies for each job.</summary>
static class SubmitReply
{
    public const string Accepted = "accepted", Duplicate = "duplicate", KeyReused = "reused", QueueFull = "full", Error = "error";
}

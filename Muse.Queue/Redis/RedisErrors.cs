namespace Muse.Queue;

/// <summary>What Redis' error replies mean for Muse.</summary>
static class RedisErrors
{
    /// <summary>The oldest supported version: <c>XPENDING … IDLE</c> is new in it.</summary>
    const string MinimumVersion = "6.2";

    /// <summary>Errors after which the same command may succeed later. Some need an operator, who can act while Muse runs.</summary>
    static readonly string[] Transient =
    [
        "LOADING", "OOM", "MISCONF", "READONLY", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN", "BUSY", "NOREPLICAS",
        "NOPERM", "NOAUTH", "WRONGPASS", "EXECABORT",
    ];

    /// <summary>How Redis 7 tells that an ACL denies a command of a script.</summary>
    const string DeniedInScript = "ERR The user executing the script can't ";

    /// <summary>Whether the same command may succeed later.</summary>
    public static bool IsTransient(string reply) => IsDenied(reply) || Transient.Any(code => HasCode(reply, code));

    /// <summary>A sentence for an operator who has to change Redis' configuration, or null.</summary>
    public static string? Explain(string reply) => reply switch
    {
        _ when IsDenied(reply) && reply.Contains("channel", StringComparison.OrdinalIgnoreCase) =>
            "The Redis user has no permission for Muse's channels. Grant it &muse:* (docs/queue.md lists all permissions).",
        _ when IsDenied(reply) && reply.Contains("keys", StringComparison.OrdinalIgnoreCase) =>
            "The Redis user has no permission for Muse's keys. Grant it ~muse:* (docs/queue.md lists all permissions).",
        _ when IsDenied(reply) =>
            $"The Redis user has no permission for a command that Muse needs (docs/queue.md lists all permissions): {reply}",
        // Redis has told the reason to a command of the transaction, and the client does not pass it on.
        _ when HasCode(reply, "EXECABORT") => "It refuses to store data: it is full, read-only or denies a permission.",
        _ when IsUserRefused(reply) => "Redis requires another user or password. Set them in ConnectionStrings:redis.",
        _ when reply.Contains("syntax error", StringComparison.Ordinal) || reply.Contains("nknown Redis command", StringComparison.Ordinal)
            || reply.Contains("unknown command", StringComparison.Ordinal) =>
            $"Redis does not support a command that Muse needs. Muse needs Redis {MinimumVersion} or newer: {reply}",
        _ => null,
    };

    /// <summary>Whether Redis refuses the user or the password.</summary>
    /// <param name="text">A reply, or a text of the client that contains one.</param>
    public static bool IsUserRefused(string text) =>
        text.Contains("WRONGPASS", StringComparison.Ordinal) || text.Contains("NOAUTH", StringComparison.Ordinal);

    static bool IsDenied(string reply) => HasCode(reply, "NOPERM") || reply.Contains(DeniedInScript[4..], StringComparison.Ordinal);

    /// <summary>
    /// Whether a reply has an error code: at its start, or, before Redis 7, after a dash within the error of a script
    /// (<c>ERR Error running script … @user_script: 12: -OOM command not allowed …</c>).
    /// </summary>
    static bool HasCode(string reply, string code) =>
        reply.StartsWith(code, StringComparison.Ordinal) || reply.Contains($" -{code} ", StringComparison.Ordinal);
}

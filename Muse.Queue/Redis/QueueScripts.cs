using System.Reflection;

namespace Muse.Queue;

/// <summary>The Lua scripts. Each is one atomic step and one round trip.</summary>
static class QueueScripts
{
    static readonly string Common = QueueKeys.Lua + Read("common");

    public static readonly QueueScript Submit = Script("submit");
    public static readonly QueueScript RateLimit = Script("ratelimit");
    public static readonly QueueScript Cancel = Script("cancel");
    public static readonly QueueScript Position = Script("position");
    public static readonly QueueScript Take = Script("take");
    public static readonly QueueScript Renew = Script("renew");
    public static readonly QueueScript Report = Script("report");
    public static readonly QueueScript Checkpoint = Script("checkpoint");
    public static readonly QueueScript Complete = Script("complete");
    public static readonly QueueScript Fail = Script("fail");
    public static readonly QueueScript DeadLetter = Script("deadletter");
    public static readonly QueueScript HandBack = Script("handback");
    public static readonly QueueScript Heartbeat = Script("heartbeat");
    public static readonly QueueScript Leave = Script("leave");
    public static readonly QueueScript Lead = Script("lead");
    public static readonly QueueScript Decide = Script("decide");
    public static readonly QueueScript Measure = Script("measure");
    public static readonly QueueScript Probe = Script("probe");
    public static readonly QueueScript Requeue = Script("requeue");
    public static readonly QueueScript Webhooks = Script("webhooks");

    static QueueScript Script(string name) => new($"""
        {Common}
        local function run()
        {Read(name)}
        end
        local reply = run()
        finish()
        return reply
        """);

    static string Read(string name)
    {
        using var stream = Assembly.GetExecutingAssembly().GetManifestResourceStream($"Muse.Queue.Scripts.{name}.lua")
            ?? throw new InvalidOperationException($"The script {name}.lua is not in the assembly.");
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }
}

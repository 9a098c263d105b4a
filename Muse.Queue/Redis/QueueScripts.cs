using System.Reflection;

namespace Muse.Queue;

/// <summary>The Lua scripts, each one atomic step and one round trip. StackExchange.Redis sends them by their SHA and loads them where Redis does not know them.</summary>
internal static class QueueScripts
{
    static readonly string Common = QueueKeys.Lua + Read("common");

    public static readonly string Submit = Script("submit"), Cancel = Script("cancel"), Position = Script("position");
    public static readonly string Take = Script("take"), Renew = Script("renew"), Report = Script("report"), Checkpoint = Script("checkpoint");
    public static readonly string Complete = Script("complete"), Fail = Script("fail"), Bury = Script("bury"), HandBack = Script("handback");
    public static readonly string Beat = Script("beat"), Leave = Script("leave"), Measure = Script("measure"), Requeue = Script("requeue"), Webhooks = Script("webhooks");

    static string Script(string name) => Common + Read(name);

    static string Read(string name)
    {
        using var stream = Assembly.GetExecutingAssembly().GetManifestResourceStream($"Muse.Queue.Scripts.{name}.lua")
            ?? throw new InvalidOperationException($"The script {name}.lua is not in the assembly.");
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }
}

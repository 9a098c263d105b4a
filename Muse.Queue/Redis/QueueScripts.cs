using System.Reflection;
using System.Security.Cryptography;
using System.Text;

namespace Muse.Queue;

/// <summary>A Lua script and the SHA1 under which Redis knows it once it was loaded.</summary>
sealed class QueueScript(string text)
{
    public string Text => text;
    public byte[] Hash { get; } = SHA1.HashData(Encoding.UTF8.GetBytes(text));
}

/// <summary>The Lua scripts, each one atomic step and one round trip.</summary>
static class QueueScripts
{
    static readonly string Common = QueueKeys.Lua + Read("common");

    public static readonly QueueScript Submit = Script("submit"), Cancel = Script("cancel"), Position = Script("position");
    public static readonly QueueScript Take = Script("take"), Renew = Script("renew"), Report = Script("report"), Checkpoint = Script("checkpoint");
    public static readonly QueueScript Complete = Script("complete"), Fail = Script("fail"), Bury = Script("bury"), HandBack = Script("handback");
    public static readonly QueueScript Beat = Script("beat"), Leave = Script("leave"), Measure = Script("measure"), Requeue = Script("requeue"), Webhooks = Script("webhooks");

    static QueueScript Script(string name) => new($"""
        {Common}
        local function run()
        {Read(name)}
        end
        local answer = run()
        finish()
        return answer
        """);

    static string Read(string name)
    {
        using var stream = Assembly.GetExecutingAssembly().GetManifestResourceStream($"Muse.Queue.Scripts.{name}.lua")
            ?? throw new InvalidOperationException($"The script {name}.lua is not in the assembly.");
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }
}

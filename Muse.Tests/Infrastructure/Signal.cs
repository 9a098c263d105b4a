using System.Runtime.InteropServices;

namespace Muse.Tests.Infrastructure;

/// <summary>What one process may tell another.</summary>
public enum Signal
{
    Kill = 9,
    Terminate = 15,
    Continue = 18,
    Stop = 19,
}

/// <summary>Sends signals.</summary>
public static class Signals
{
    /// <summary>Sends it to one process, by its id.</summary>
    public static void SendTo(this Signal signal, int process) => _ = kill(process, (int)signal);

#pragma warning disable SYSLIB1054 // One call with two numbers: nothing to generate.
    [DllImport("libc")]
    static extern int kill(int id, int signal);
#pragma warning restore SYSLIB1054
}

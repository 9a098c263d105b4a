using System.Security.Cryptography;
using System.Text;

namespace Muse.Queue;

/// <summary>A Lua script and its SHA1, by which Redis finds it once it was loaded.</summary>
sealed class QueueScript(string text)
{
    public string Text => text;
    public byte[] Hash { get; } = SHA1.HashData(Encoding.UTF8.GetBytes(text));
}

namespace Muse.Api;

/// <summary>Cursors of pages: opaque to callers, short, without special characters.</summary>
static class Cursors
{
    public static bool IsWellFormed(string cursor) =>
        cursor is { Length: > 0 and <= 128 } && cursor.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.' or ':');
}

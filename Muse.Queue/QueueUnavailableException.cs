namespace Muse.Queue;

/// <summary>Redis can't be reached, did not answer in time, or can't do it now. The same call may succeed later.</summary>
public class QueueUnavailableException(string message, Exception? inner = null) : Exception(message, inner);

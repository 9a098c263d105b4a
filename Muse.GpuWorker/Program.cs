using Muse.Queue;
using Muse.ServiceDefaults;

var builder = WebApplication.CreateBuilder(args);
builder.AddServiceDefaults();
builder.AddMuseQueue();

var app = builder.Build();
app.MapDefaultEndpoints();
app.Run();

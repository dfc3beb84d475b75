"""Leisure: music, film, events, books, games, sports."""

from itool_jax.data.toolworld import values
from itool_jax.data.toolworld.large import slots as s
from itool_jax.data.toolworld.large import texts
from itool_jax.data.toolworld.large.concept import domain, tool
from itool_jax.data.toolworld.large.kinds import integer, many, text, words, year

# fmt: off
SONG = s.TITLE.as_("song", "{}|called {}", "Title of the song", names="song track", label="song", leads=True)
ARTIST = s.PERSON.as_("artist", "by {}|sung by {}", "Artist", names="artist performer")
PLAYLIST = s.ident("playlist", "playlist number")
FILM = s.TITLE.as_("film", "{}|called {}", "Title of the film", names="film movie", label="film", leads=True)
TICKETS = s.ident("ticket_order", "ticket order number")
CONCERT = s.ident("show", "show number", "show_id event_id")
BOOK = s.TITLE.as_("book", "{}|called {}", "Title of the book", names="book book_title", label="book", leads=True)
LOAN = s.ident("book_loan", "loan number")
TEAM = s.named("team", text(texts.team), "of the team {}|for the {}", "Team", names="team club")
GAME = s.named("game", text(values.title, 1.0), "{}|called {}", "Name of the game", names="game game_title", leads=True)
GENRE = s.choice(
    "genre", "from the genre {}|which is {}", "Genre", "jazz techno folk classical metal", names="genre style",
)
FILM_GENRE = s.choice(
    "film_genre", "of the genre {}|which are {}", "Genre", "comedy horror drama documentary western",
    names="genre film_genre", label="genre",
)
SEATS = s.named(
    "seats", integer(2, 9), "{} seats|with {} seats", "Number of seats", names="seats num_seats",
    label="number of seats",
)
SPORT = s.choice("sport", "in {}", "Sport", "football tennis hockey basketball handball", names="sport")
SHELF = s.choice(
    "shelf", "to the shelf {}|under {}", "Shelf", "wanted reading finished favorites", names="shelf list_name",
)

CONCEPTS = (
    *domain(
        "music",
        tool("play_song play_track", "Plays a song.", "play the song|put on the track", SONG, ARTIST.opt, s.ROOM.opt),
        tool(
            "create_playlist make_playlist", "Makes a playlist.",
            "make a playlist|create a playlist",
            s.TITLE,
            s.named(
                "songs", many(s.TITLE_NAME, 1, 3), "with the songs {}|holding {}", "Songs", names="songs tracks",
            ).opt,
            s.PUBLIC, gives=(PLAYLIST,),
        ),
        tool(
            "add_song_to_playlist add_track", "Puts a song on a playlist.",
            "add the song|put on a playlist the song",
            SONG, PLAYLIST.said("to playlist {}|on the playlist number {}"),
        ),
        tool(
            "play_playlist start_playlist", "Plays a playlist.",
            "play the playlist|start the playlist",
            PLAYLIST,
            s.flag(
                "shuffle", "Whether the order is random", "shuffled|in random order", "in the given order|not shuffled",
                "shuffle random_order",
            ),
        ),
        tool(
            "recommend_music music_suggestions", "Suggests music.",
            "suggest some music|recommend me music",
            GENRE, s.choice("mood", "for a {} mood", "Mood", "happy calm sad energetic", names="mood").opt, s.LIMIT.opt,
            gives=(SONG,),
        ),
        tool(
            "get_lyrics song_lyrics", "Shows the words of a song.",
            "show the lyrics of|?how do the words go in",
            SONG, ARTIST.opt,
        ),
        tool(
            "identify_song recognize_song", "Names the song in a recording.",
            "name the song in the recording|?which song is it in",
            s.FILE, gives=(SONG,),
        ),
        tool(
            "set_volume change_volume", "Sets the volume of the speakers.",
            "change the volume|set the volume",
            s.ROOM, s.PERCENT,
        ),
        tool(
            "set_sleep_timer stop_music_after", "Stops the music after a while.",
            "stop the music later|set a sleep timer for the music",
            s.MINUTES.said("in {}|after {}"),
            s.flag(
                "fade", "Whether it fades out", "fading out|with a fade-out", "stopping at once|without fading",
                "fade_out fade",
            ),
        ),
        tool(
            "play_podcast listen_podcast", "Plays an episode of a podcast.",
            "play a podcast|listen to a podcast",
            s.TITLE,
            s.named(
                "episode", integer(2, 400), "episode {}|starting with episode {}", "Number of the episode",
                names="episode episode_number",
            ).opt,
            s.named("speed", words("slow normal fast"), "at {} speed", "Speed", names="speed playback_speed").opt,
        ),
    ),
    *domain(
        "films",
        tool(
            "search_films find_movies", "Finds films.",
            "search for films|find a movie",
            FILM_GENRE,
            s.named(
                "after_year", year(1950, 2020), "made after {}|from {} or later", "Earliest year",
                names="after_year min_year", label="earliest year",
            ).opt,
            s.SCORE.said(
                "rated {} or better|with a rating of at least {}", names="min_rating", label="least rating",
            ).opt,
            gives=(FILM,),
        ),
        tool(
            "get_film_details movie_information", "Tells about a film.",
            "tell me about the film|?who made the film",
            FILM,
        ),
        tool(
            "get_cinema_program showtimes", "Lists what the cinemas of a city show.",
            "look up what the cinemas show|?what is on at the movies",
            s.CITY, s.DAY.opt,
            s.flag(
                "original", "Whether films are in the original language", "in the original language|undubbed",
                "dubbed|dubbed is fine", "original_version original",
            ),
            gives=(CONCERT,),
        ),
        tool(
            "book_cinema_tickets buy_movie_tickets", "Buys cinema tickets.",
            "book cinema tickets for show|buy movie tickets for show",
            CONCERT, SEATS, s.choice("row", "in the {} row", "Row", "front middle back", names="row seat_row").opt,
            gives=(TICKETS, s.TOTAL),
        ),
        tool(
            "add_to_watchlist watch_later", "Puts a film on the watch list.",
            "put on my watch list the film|add to the watch list the film",
            FILM, s.NOTE,
        ),
        tool(
            "stream_film play_film", "Plays a film on a screen.",
            "stream the film|play the film",
            FILM, s.ROOM.said("in the {}|on the screen in the {}"),
            s.choice(
                "subtitles", "with {} subtitles", "Language of the subtitles", "English French Arabic Korean",
                names="subtitles subtitle_language",
            ).opt,
        ),
        tool(
            "record_tv_program record_broadcast", "Records a broadcast.",
            "record a broadcast|tape a TV program",
            s.choice(
                "channel", "on {}", "Channel",
                {
                    "one": "channel one", "news": "the news channel", "sport": "the sports channel",
                    "kids": "the kids' channel",
                },
                names="channel",
            ),
            s.DAY, s.AT, s.MINUTES,
        ),
        tool(
            "rate_film review_movie", "Stores a rating of a film.",
            "rate the film|review the film",
            FILM, s.SCORE, s.PUBLIC,
        ),
    ),
    *domain(
        "events",
        tool(
            "search_events find_events", "Finds events in a city.",
            "find events|look for something going on|?what is going on",
            s.CITY, s.PERIOD,
            s.choice(
                "kind", "such as a {}", "Kind of event", "concert exhibition market festival lecture",
                names="category event_type", label="kind of event",
            ).opt,
            s.MAX_PRICE.opt, gives=(CONCERT, s.PLACE),
        ),
        tool(
            "buy_event_tickets book_show", "Buys tickets for an event.",
            "buy tickets for the show|get tickets for the show",
            CONCERT, SEATS.said("{} tickets|with {} tickets", names="tickets quantity", label="number of tickets"),
            s.choice("area", "in the {} area", "Area", "standing seated balcony", names="area section").opt,
            gives=(TICKETS, s.TOTAL),
        ),
        tool(
            "cancel_tickets return_tickets", "Gives tickets back.",
            "return the tickets of order|cancel the ticket order",
            TICKETS, gives=(s.AMOUNT,),
        ),
        tool(
            "transfer_ticket give_ticket", "Passes a ticket on.",
            "pass on my tickets from order|transfer the tickets of order",
            TICKETS, s.EMAIL,
        ),
        tool(
            "create_party_invitation invite_to_party", "Invites people to a party.",
            "invite people to a party|send out party invitations",
            s.TITLE.said("called {}|under the motto {}"), s.DAY, s.AT, s.ADDRESS.said("at {}|taking place at {}"),
            s.EMAILS.said("for {}|going to {}"),
        ),
        tool(
            "rent_venue book_venue", "Rents a room for an event.",
            "rent a venue|book a hall",
            s.CITY, s.DAY, s.PEOPLE,
            s.named(
                "features", many(words("stage kitchen bar parking sound_system")), "having {}|that has {}",
                "What it has", names="features amenities",
            ).opt,
            gives=(s.PLACE, s.TOTAL),
        ),
        tool(
            "volunteer_for_event sign_up_volunteer", "Signs up a volunteer.",
            "volunteer for the event|sign up as a helper for the event",
            CONCERT, s.PERSON,
            s.choice("shift", "in the {} shift", "Shift", "morning afternoon evening night", names="shift"),
        ),
        tool(
            "follow_artist artist_alerts", "Tells of new dates of an artist.",
            "follow an artist|tell me about new tour dates",
            ARTIST.said("namely {}|of {}"), s.RADIUS.opt, s.CITY.said("around {}|near {}").opt,
        ),
    ),
    *domain(
        "library",
        tool(
            "search_library find_books", "Finds books in the library.",
            "search the library|look for books",
            s.QUERY,
            s.choice(
                "medium", "as {}", "Medium", {"print": "printed books", "audio": "audio books", "ebook": "e-books"},
                names="medium book_format",
            ).opt,
            s.LIMIT.opt, gives=(BOOK,),
        ),
        tool(
            "borrow_book check_out_book", "Borrows a book.",
            "borrow the book|check out the book",
            BOOK, s.ident("library_card", "library card number").said("with the library card {}|on card {}"),
            gives=(LOAN, s.BY_DATE),
        ),
        tool(
            "renew_loan extend_loan", "Renews a loan.",
            "renew the loan|keep longer the book with loan",
            LOAN, s.DAYS.said("by {} days|for another {} days"),
        ),
        tool(
            "return_book give_back_book", "Gives a book back.",
            "return the book with loan|give back the book with loan",
            LOAN,
            s.choice(
                "branch", "at the {} branch", "Branch", "central northern harbour university",
                names="branch library_branch",
            ).opt,
        ),
        tool(
            "reserve_book hold_book", "Reserves a book that is out.",
            "reserve the book|put a hold on the book",
            BOOK, s.ident("library_card", "library card number").said("with the library card {}|on card {}"),
            s.EMAIL.said("telling me at {}|with a mail to {}").opt,
        ),
        tool(
            "pay_library_fine settle_library_fee", "Pays a fee of the library.",
            "pay the library fees on card|settle what is owed to the library on card",
            s.ident("library_card", "library card number"), s.AMOUNT,
        ),
        tool(
            "suggest_purchase propose_book", "Proposes that the library buys a book.",
            "propose that the library buys|ask the library to get",
            BOOK, s.PERSON.said("written by {}|by the author {}", "Author", names="author", label="author"), s.NOTE,
        ),
        tool(
            "add_to_reading_list shelve_book", "Puts a book on a list of one's own.",
            "put on my reading list the book|shelve the book",
            BOOK, SHELF,
        ),
    ),
    *domain(
        "games",
        tool(
            "start_game_session launch_game", "Starts a game.",
            "start the game|launch the game",
            GAME,
            s.choice("difficulty", "on {} difficulty", "Difficulty", "easy normal hard", names="difficulty level"),
            s.named(
                "players", integer(2, 8), "with {} players|for {} players", "Number of players",
                names="players num_players", label="number of players",
            ).opt,
        ),
        tool(
            "roll_dice throw_dice", "Rolls dice.",
            "roll some dice|throw dice",
            s.named(
                "dice", integer(2, 12), "{} dice|with {} dice", "Number of dice", names="dice num_dice",
                label="number of dice",
            ),
            s.named(
                "sides", integer(4, 30), "with {} sides each|of {} sides", "Number of sides", names="sides faces",
                label="number of sides",
            ),
        ),
        tool(
            "get_leaderboard high_scores", "Shows the best players of a game.",
            "show the leaderboard of|?who leads in",
            GAME,
            s.choice("span", "for the {}", "Span of time", "day week year", names="period timespan", label="span").opt,
            s.LIMIT.opt,
        ),
        tool(
            "invite_to_game challenge_friend", "Invites a friend to a game.",
            "invite a friend to the game|challenge a friend at",
            GAME,
            s.named(
                "friend", text(texts.user_name), "namely {}|who plays as {}", "User name of the friend",
                names="friend opponent", label="friend",
            ),
        ),
        tool(
            "solve_sudoku_hint puzzle_hint", "Gives a hint for a puzzle.",
            "give me a hint for the puzzle|help out with the puzzle",
            s.ident("puzzle", "puzzle number"),
            s.choice(
                "hint", "with a {} hint", "Size of the hint", "small big full", names="hint_size hint", label="hint",
            ),
        ),
        tool(
            "create_tournament plan_tournament", "Plans a tournament.",
            "set up a tournament|plan a tournament",
            GAME.said("in the game {}|playing {}"),
            s.named(
                "participants", many(text(texts.user_name), 2, 4), "between {}|with {}", "User names",
                names="participants players",
            ),
            s.choice(
                "mode", "as {}", "Mode",
                {"knockout": "a knockout", "league": "a league", "swiss": "a Swiss tournament"},
                names="mode tournament_mode",
            ),
            gives=(s.ident("tournament", "tournament number"),),
        ),
        tool(
            "report_match_result submit_score", "Enters a result in a tournament.",
            "enter a result in the tournament|report a match in the tournament",
            s.ident("tournament", "tournament number"),
            s.named(
                "result", text(lambda rng: f"{rng.randint(0, 9)}:{rng.randint(0, 9)}"), "of {}|which ended {}",
                "Result such as 2:1", names="result score",
            ),
            s.named(
                "winner", text(texts.user_name), "won by {}|with {} winning", "User name of the winner", names="winner",
            ),
        ),
    ),
    *domain(
        "sports",
        tool(
            "get_match_result final_score", "Tells how a match ended.",
            "look up how the match went|?how did the match end",
            TEAM,
            s.DAY.as_(
                "played", "on {}|played on {}", "Day, as YYYY-MM-DD", names="match_date played_on", label="day",
            ).opt,
        ),
        tool(
            "get_team_schedule next_matches", "Lists the next matches of a team.",
            "list the next matches|?when is the next match",
            TEAM, s.LIMIT.opt,
            s.choice("venue", "only {} matches", "Where", "home away", names="venue home_or_away").opt,
        ),
        tool(
            "get_league_table standings", "Shows a league's table.",
            "show the league table|?who is ahead in the league",
            SPORT, s.COUNTRY,
            s.named("season", year(2010, 2025), "for the season {}|of the season {}", "Season", names="season").opt,
        ),
        tool(
            "get_player_statistics player_stats", "Tells figures of a player.",
            "get the statistics of a player|look up a player",
            s.PERSON.said("namely {}|called {}", names="player player_name", label="player"), SPORT.opt,
            s.named("season", year(2010, 2025), "for the season {}|of the season {}", "Season", names="season").opt,
        ),
        tool(
            "book_court reserve_court", "Reserves a court.",
            "book a court|reserve a court",
            s.choice(
                "court", "for {}", "Sport", "tennis squash badminton padel", names="sport court_type", label="sport",
            ),
            s.DAY, s.AT, s.MINUTES,
            s.flag(
                "indoor", "Whether it is indoors", "indoors|inside a hall", "outdoors|in the open air", "indoor hall",
            ),
            gives=(s.ident("court_booking", "court booking number"),),
        ),
        tool(
            "cancel_court release_court", "Cancels a court.",
            "cancel the court booking|give up the court booking",
            s.ident("court_booking", "court booking number"),
        ),
        tool(
            "find_running_route suggest_run", "Suggests a route for a run.",
            "suggest a running route|find a route for a run",
            s.CITY, s.DISTANCE,
            s.choice("surface", "on {}", "Surface", "asphalt trails sand grass", names="surface terrain").opt,
            gives=(s.URL,),
        ),
        tool(
            "subscribe_score_alerts goal_alerts", "Tells of goals while a match goes on.",
            "send me goal alerts|turn on score alerts",
            TEAM, s.PHONE.said("to the phone {}|texting {}"),
        ),
        tool(
            "rent_ski_equipment hire_skis", "Rents skis.",
            "rent skis|hire ski equipment",
            s.PLACE.said("at {}|in the resort {}", "Resort", names="resort ski_area", label="resort"), s.PERIOD,
            s.named(
                "height", integer(120, 200), "for a height of {} cm|being {} cm tall", "Height in cm",
                names="height_cm height",
            ),
            s.choice(
                "level", "for {}", "Level",
                {"beginner": "beginners", "advanced": "advanced skiers", "expert": "experts"}, names="level skill",
            ).opt,
            gives=(s.TOTAL,),
        ),
    ),
)

"""Leisure: events, games, sports."""

from itool_jax.data.toolworld import values
from itool_jax.data.toolworld.large import slots as s
from itool_jax.data.toolworld.large import texts
from itool_jax.data.toolworld.large.concept import domain, tool
from itool_jax.data.toolworld.large.domains.media import ARTIST, CONCERT, SEATS, TICKETS
from itool_jax.data.toolworld.large.kinds import integer, many, text, words, year

# fmt: off
TEAM = s.named("team", text(texts.team), "of the team {}|for the {}", "Team", names="team club")
GAME = s.named("game", text(values.title, 1.0), "{}|called {}", "Name of the game", names="game game_title", leads=True)
SPORT = s.choice("sport", "in {}", "Sport", "football tennis hockey basketball handball", names="sport")

CONCEPTS = (
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
            "buy event tickets for show|get tickets to the live event, show",
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
            s.PAST.as_("played", "on {}|played on {}", "Day, as YYYY-MM-DD", names="match_date played_on", label="day",
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

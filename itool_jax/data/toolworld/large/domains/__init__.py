"""The concepts of the large world, domain by domain, and which of them training never sees."""

from itool_jax.data.toolworld.large.concept import Concept
from itool_jax.data.toolworld.large.domains import (
    bills,
    city,
    devices,
    figures,
    food,
    health,
    home,
    learning,
    leisure,
    living,
    media,
    money,
    nature,
    office,
    outdoors,
    servers,
    society,
    travel,
    work,
)
from itool_jax.data.toolworld.large.ways import ways

CONCEPTS: tuple[Concept, ...] = (
    *travel.CONCEPTS,
    *city.CONCEPTS,
    *outdoors.CONCEPTS,
    *home.CONCEPTS,
    *nature.CONCEPTS,
    *food.CONCEPTS,
    *money.CONCEPTS,
    *bills.CONCEPTS,
    *office.CONCEPTS,
    *work.CONCEPTS,
    *servers.CONCEPTS,
    *devices.CONCEPTS,
    *health.CONCEPTS,
    *media.CONCEPTS,
    *leisure.CONCEPTS,
    *society.CONCEPTS,
    *living.CONCEPTS,
    *learning.CONCEPTS,
    *figures.CONCEPTS,
)

# Kept apart from training: whole domains, and single concepts, most of them with look-alikes in training.
_UNSEEN_DOMAINS = ways("parking|garden|insurance|library|housing|games|courses")
_UNSEEN_CONCEPTS = ways(
    "get_uv_index|book_night_train|request_late_checkout|order_catering|pair_wine|set_boiler_schedule|get_dividends|"
    "void_invoice|set_out_of_office|link_tasks|merge_pdfs|grant_discount|nominate_award|rotate_credentials|tag_release|"
    "convert_image|anonymize_table|update_firmware|find_hospital_er|find_night_pharmacy|log_sleep|set_sleep_timer|"
    "record_tv_program|volunteer_for_event|rent_ski_equipment|get_voicemail|start_poll|register_dog|compare_salary|"
    "find_rhymes|prime_factors|convert_time_zone|hold_parcel|measure_area|add_rental_driver|"
    "create_playlist|add_song_to_playlist|play_playlist"
)
UNSEEN: tuple[Concept, ...] = tuple(c for c in CONCEPTS if c.domain in _UNSEEN_DOMAINS or c.key in _UNSEEN_CONCEPTS)
TRAIN: tuple[Concept, ...] = tuple(c for c in CONCEPTS if c not in UNSEEN)

# Concepts of a group could be stretched to serve each other's requests: where the right answer is that no tool fits or
# that a value is missing, none but the one that is asked for may be a candidate.
RIVALS: tuple[frozenset[str], ...] = tuple(
    frozenset(group.split())
    for group in (
        "set_thermostat activate_home_scene",
        "set_light_brightness activate_home_scene",
        "get_current_weather get_weather_forecast get_hourly_rain get_historical_weather",
        "plan_transit_trip get_directions get_travel_time search_trains",
        "track_parcel track_shop_order",
        "set_reminder create_task set_alarm set_medicine_reminder set_kitchen_timer request_wake_up_call",
        "translate_text translate_document",
        "send_chat_message send_text_message send_email reply_to_email schedule_email schedule_text_message",
        "convert_money get_exchange_rate",
        "order_product order_groceries order_takeaway order_room_service order_medicine order_seeds",
        "order_groceries add_to_shopping_list",
        "search_restaurants search_places find_night_pharmacy find_cash_machine",
        "create_event reserve_table book_meeting_room schedule_interview",
        "rate_hotel rate_restaurant write_product_review rate_film",
        "find_files search_documents search_emails search_code",
        "copy_file move_file upload_file",
        "share_document share_file_link",
        "print_file print_shipping_label",
        "book_doctor_appointment book_vaccination book_office_appointment",
        "request_repair report_tenancy_defect find_tradesperson",
        "add_customer add_phone_contact",
        "report_bug create_support_ticket declare_incident",
        "search_events get_cinema_program",
        "book_cinema_tickets buy_event_tickets",
        "search_jobs set_job_alert",
        "request_repair get_repair_quote",
        "search_rental_cars rent_car",
        "calculate_loan calculate_mortgage",
        "pay_invoice transfer_money",
        "add_numbers calculate_mean calculate_median calculate_deviation",
        "log_meal log_water",
        "record_sick_day request_leave",
        "register_pet register_dog",
        "file_insurance_claim report_car_damage report_lost_parcel",
        "log_work_time log_work_shift",
        "water_garden schedule_irrigation",
        "play_song play_playlist recommend_music",
        "search_hotels search_flats",
        "follow_user follow_artist",
        "create_party_invitation invite_to_event create_event",
        "publish_post schedule_post",
        "find_doctor find_hospital_er",
        "restore_backup restore_document_version",
        "get_server_load get_server_logs",
        "order_taxi estimate_taxi_fare",
        "ship_parcel estimate_shipping_cost",
        "record_expense submit_travel_expenses log_customer_call",
        "block_card lock_device find_my_phone",
    )
)
